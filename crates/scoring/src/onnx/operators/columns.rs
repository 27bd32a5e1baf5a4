//! Operators from columns to columns: renaming, joining, preparing, encoding.

use super::{one_to_one, wrong_tensor};
use crate::ModelRefused;
use crate::onnx::attributes::Attributes;
use crate::onnx::encode::{Encode, Source};
use crate::onnx::graph::{Graph, Tensor, Uses};
use crate::onnx::message::{FLOAT, INT64, NodeProto, STRING};
use crate::onnx::pipeline::{Span, Step};
use crate::onnx::prepare::{Impute, Normalize, Scale};
use crate::refused::shown;

pub(super) fn identity(
    graph: &mut Graph<'_>,
    node: &NodeProto,
    attributes: &mut Attributes,
) -> Result<(), ModelRefused> {
    let (tensor, output) = one_to_one(graph, node, attributes)?;
    graph.name(output, tensor)
}

/// Between types that lose nothing on the way; a number is not cut to a whole one, since what becomes of NaN is up to
/// the processor.
pub(super) fn cast(
    graph: &mut Graph<'_>,
    node: &NodeProto,
    attributes: &mut Attributes,
) -> Result<(), ModelRefused> {
    let (tensor, output) = one_to_one(graph, node, attributes)?;
    let to = attributes.int("to")?.and_then(|to| i32::try_from(to).ok());
    // How numbers of eight bits saturate; there are none here.
    attributes.ignore("saturate");
    let cast = match (tensor, to) {
        (same @ Tensor::Floats(_), Some(FLOAT))
        | (same @ Tensor::Wholes(_), Some(INT64))
        | (same @ Tensor::Texts(_), Some(STRING))
        // A label stays the text that it is here, whatever its type in the graph.
        | (same @ Tensor::Label, Some(INT64 | STRING)) => same,
        (wholes @ Tensor::Wholes(_), Some(FLOAT)) => {
            Tensor::Floats(graph.floats(wholes, attributes)?)
        }
        _ => return Err(attributes.value("to")),
    };
    graph.name(output, cast)
}

/// Of columns. Where the inputs already lie beside each other, the result is the same registers.
pub(super) fn concat(
    graph: &mut Graph<'_>,
    node: &NodeProto,
    attributes: &mut Attributes,
) -> Result<(), ModelRefused> {
    // Of rows by columns, or by columns by 1 as encoders give them; so the last axis, which may be counted from behind.
    if !matches!(attributes.int("axis")?, Some(1 | -1)) {
        return Err(attributes.value("axis"));
    }
    let [output] = &node.output[..] else {
        return Err(ModelRefused::Arity { operator: "Concat" });
    };
    let tensors = { node.input.iter() }
        .map(|input| graph.tensor(input))
        .collect::<Result<Vec<_>, _>>()?;
    let (mut floats, mut wholes, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for tensor in &tensors {
        match tensor {
            Tensor::Floats(span) => floats.push(*span),
            Tensor::Wholes(span) => wholes.push(*span),
            Tensor::Texts(features) => texts.extend(features),
            Tensor::Label => return Err(wrong_tensor(attributes)),
        }
    }
    let joined = match (&floats[..], &wholes[..], &texts[..]) {
        ([_, ..], [], []) => Tensor::Floats(match beside(&floats) {
            Some(span) => span,
            None => {
                let uses = floats.iter().flat_map(|span| graph.uses_of(*span));
                let to = graph.new_floats(uses.collect())?;
                let copies = copies(&floats, to.first);
                graph
                    .steps
                    .extend(copies.map(|(from, to)| Step::CopyFloats { from, to }));
                to
            }
        }),
        ([], [_, ..], []) => Tensor::Wholes(match beside(&wholes) {
            Some(span) => span,
            None => {
                let uses = { wholes.iter() }.flat_map(|span| span.of(&graph.whole_uses).to_vec());
                let to = graph.new_wholes(uses.collect())?;
                let copies = copies(&wholes, to.first);
                graph
                    .steps
                    .extend(copies.map(|(from, to)| Step::CopyWholes { from, to }));
                to
            }
        }),
        ([], [], [_, ..]) if texts.len() <= graph.limits.features_max => Tensor::Texts(texts),
        _ => return Err(wrong_tensor(attributes)),
    };
    graph.name(output, joined)
}

/// The registers of all, if they follow each other.
fn beside(spans: &[Span]) -> Option<Span> {
    let mut all = *spans.first()?;
    for span in &spans[1..] {
        if span.first != all.first + all.len {
            return None;
        }
        all.len += span.len;
    }
    Some(all)
}

fn copies(spans: &[Span], to: usize) -> impl Iterator<Item = (Span, usize)> {
    spans.iter().scan(to, |next, span| {
        let to = *next;
        *next += span.len;
        Some((*span, to))
    })
}

/// To rows by columns from what already is that, as exporters write it behind encoders.
pub(super) fn reshape(
    graph: &mut Graph<'_>,
    node: &NodeProto,
    attributes: &mut Attributes,
) -> Result<(), ModelRefused> {
    let ([input, shape], [output]) = (&node.input[..], &node.output[..]) else {
        return Err(ModelRefused::Arity {
            operator: "Reshape",
        });
    };
    let tensor = graph.tensor(input)?;
    let shape = { graph.shapes.get(shape) }.ok_or_else(|| ModelRefused::Unbound(shown(shape)))?;
    let width = match &tensor {
        Tensor::Floats(span) | Tensor::Wholes(span) => span.len,
        Tensor::Texts(features) => features.len(),
        Tensor::Label => return Err(wrong_tensor(attributes)),
    };
    if !matches!(attributes.int("allowzero")?, None | Some(0)) {
        return Err(attributes.value("allowzero"));
    }
    if shape[..] != [-1, width as i64] {
        return Err(wrong_tensor(attributes));
    }
    graph.name(output, tensor)
}

pub(super) fn scaler(
    graph: &mut Graph<'_>,
    node: &NodeProto,
    attributes: &mut Attributes,
) -> Result<(), ModelRefused> {
    let (tensor, output) = one_to_one(graph, node, attributes)?;
    let from = graph.floats(tensor, attributes)?;
    let to = graph.new_floats(graph.uses_of(from))?;
    let step = Scale::take(attributes, from, to.first)?;
    graph.steps.push(Step::Scale(step));
    graph.name(output, Tensor::Floats(to))
}

pub(super) fn normalizer(
    graph: &mut Graph<'_>,
    node: &NodeProto,
    attributes: &mut Attributes,
) -> Result<(), ModelRefused> {
    let (tensor, output) = one_to_one(graph, node, attributes)?;
    // Whole numbers would be squared as such and overflow.
    let Tensor::Floats(from) = tensor else {
        return Err(wrong_tensor(attributes));
    };
    let mut uses = Uses::default();
    graph.uses_of(from).iter().for_each(|u| uses.add(u));
    let to = graph.new_floats(vec![uses; from.len])?;
    let step = Normalize::take(attributes, from, to.first)?;
    graph.steps.push(Step::Normalize(step));
    graph.name(output, Tensor::Floats(to))
}

pub(super) fn imputer(
    graph: &mut Graph<'_>,
    node: &NodeProto,
    attributes: &mut Attributes,
) -> Result<(), ModelRefused> {
    let (tensor, output) = one_to_one(graph, node, attributes)?;
    match tensor {
        Tensor::Floats(from) => {
            let to = graph.new_floats(graph.uses_of(from))?;
            let step = Impute::<f32>::take(attributes, from, to.first)?;
            graph.steps.push(Step::Impute(step));
            graph.name(output, Tensor::Floats(to))
        }
        Tensor::Wholes(from) => {
            let to = graph.new_wholes(from.of(&graph.whole_uses).to_vec())?;
            let step = Impute::<i64>::take(attributes, from, to.first)?;
            graph.steps.push(Step::ImputeWholes(step));
            graph.name(output, Tensor::Wholes(to))
        }
        Tensor::Label | Tensor::Texts(_) => Err(wrong_tensor(attributes)),
    }
}

pub(super) fn label_encoder(
    graph: &mut Graph<'_>,
    node: &NodeProto,
    attributes: &mut Attributes,
) -> Result<(), ModelRefused> {
    let (tensor, output) = one_to_one(graph, node, attributes)?;
    let (source, uses) = source(graph, tensor, attributes)?;
    let encode = Encode::label(attributes, source)?;
    encoded(graph, encode, uses, output)
}

pub(super) fn one_hot_encoder(
    graph: &mut Graph<'_>,
    node: &NodeProto,
    attributes: &mut Attributes,
) -> Result<(), ModelRefused> {
    let (tensor, output) = one_to_one(graph, node, attributes)?;
    let (source, uses) = source(graph, tensor, attributes)?;
    let encode = Encode::one_hot(attributes, source)?;
    encoded(graph, encode, uses, output)
}

/// What is encoded, and what each of its values depends on.
fn source(
    graph: &Graph<'_>,
    tensor: Tensor,
    attributes: &Attributes,
) -> Result<(Source, Vec<Uses>), ModelRefused> {
    Ok(match tensor {
        Tensor::Floats(span) => (Source::Floats(span), graph.uses_of(span)),
        Tensor::Wholes(span) => (Source::Wholes(span), span.of(&graph.whole_uses).to_vec()),
        Tensor::Texts(features) => {
            let uses = features.iter().map(|feature| Uses::one(*feature)).collect();
            (Source::Texts(features), uses)
        }
        Tensor::Label => return Err(wrong_tensor(attributes)),
    })
}

fn encoded(
    graph: &mut Graph<'_>,
    encode: Encode,
    uses: Vec<Uses>,
    output: &str,
) -> Result<(), ModelRefused> {
    if encode.width() > graph.limits.features_max {
        return Err(ModelRefused::TooMany {
            what: "columns",
            max: graph.limits.features_max,
        });
    }
    let each = encode.width() / uses.len();
    let uses = uses.into_iter().flat_map(|u| vec![u; each]).collect();
    let (tensor, to) = if encode.writes_wholes() {
        let span = graph.new_wholes(uses)?;
        (Tensor::Wholes(span), span.first)
    } else {
        let span = graph.new_floats(uses)?;
        (Tensor::Floats(span), span.first)
    };
    graph.steps.push(Step::Encode(encode.to(to)));
    graph.name(output, tensor)
}
