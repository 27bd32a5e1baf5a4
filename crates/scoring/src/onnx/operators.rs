//! One operator after the other: which are accepted, what they take, and the steps that they become.

use super::attributes::Attributes;
use super::encode::{Encode, Source};
use super::graph::{Graph, ML, Tensor, Uses, normal};
use super::linear::Linear;
use super::message::{FLOAT, INT64, NodeProto, STRING};
use super::pipeline::{Span, Step};
use super::prepare::{Impute, Normalize, Scale};
use super::vote::Vote;
use crate::ModelRefused;
use crate::refused::{self, shown};

/// Reads one operator.
pub(super) fn read(graph: &mut Graph<'_>, node: &mut NodeProto) -> Result<(), ModelRefused> {
    let (operator, run): (&'static str, Read) = match (normal(&node.domain), node.op_type.as_str())
    {
        ("", "Cast") => ("Cast", cast),
        ("", "Concat") => ("Concat", concat),
        ("", "Identity") => ("Identity", identity),
        ("", "Reshape") => ("Reshape", reshape),
        (ML, "Imputer") => ("Imputer", imputer),
        (ML, "LabelEncoder") => ("LabelEncoder", label_encoder),
        (ML, "LinearClassifier") => ("LinearClassifier", linear_classifier),
        (ML, "LinearRegressor") => ("LinearRegressor", linear_regressor),
        (ML, "Normalizer") => ("Normalizer", normalizer),
        (ML, "OneHotEncoder") => ("OneHotEncoder", one_hot_encoder),
        (ML, "Scaler") => ("Scaler", scaler),
        (ML, "TreeEnsembleClassifier") => ("TreeEnsembleClassifier", tree_classifier),
        (ML, "TreeEnsembleRegressor") => ("TreeEnsembleRegressor", tree_regressor),
        (ML, "ZipMap") => ("ZipMap", zip_map),
        (domain, operator) => {
            return Err(ModelRefused::Operator {
                domain: shown(domain),
                operator: shown(operator),
            });
        }
    };
    let mut attributes = Attributes::of(operator, node)?;
    run(graph, node, &mut attributes)?;
    attributes.done()
}

type Read = fn(&mut Graph<'_>, &NodeProto, &mut Attributes) -> Result<(), ModelRefused>;

/// The tensors and names of an operator with one input and one output.
fn one_to_one<'n>(
    graph: &Graph<'_>,
    node: &'n NodeProto,
    attributes: &Attributes,
) -> Result<(Tensor, &'n str), ModelRefused> {
    match (&node.input[..], &node.output[..]) {
        ([input], [output]) => Ok((graph.tensor(input)?, output)),
        _ => Err(ModelRefused::Arity {
            operator: attributes.operator(),
        }),
    }
}

fn wrong_tensor(attributes: &Attributes) -> ModelRefused {
    ModelRefused::Tensor {
        operator: attributes.operator(),
    }
}

impl Graph<'_> {
    fn uses_of(&self, span: Span) -> Vec<Uses> {
        span.of(&self.float_uses).to_vec()
    }

    /// What depends on all columns, or on those that are marked, through a model.
    fn through(&self, span: Span, marked: &[bool]) -> Uses {
        let mut all = Uses {
            model: true,
            ..Uses::default()
        };
        for (uses, marked) in span.of(&self.float_uses).iter().zip(marked) {
            if *marked {
                all.add(uses);
            }
        }
        all
    }

    /// The tensor as numbers; whole numbers become the nearest ones, as models that are given them do.
    fn floats(&mut self, tensor: Tensor, attributes: &Attributes) -> Result<Span, ModelRefused> {
        match tensor {
            Tensor::Floats(span) => Ok(span),
            Tensor::Wholes(from) => {
                let uses = from.of(&self.whole_uses).to_vec();
                let to = self.new_floats(uses)?;
                self.steps.push(Step::Cast { from, to: to.first });
                Ok(to)
            }
            Tensor::Label | Tensor::Texts(_) => Err(wrong_tensor(attributes)),
        }
    }
}

fn identity(
    graph: &mut Graph<'_>,
    node: &NodeProto,
    attributes: &mut Attributes,
) -> Result<(), ModelRefused> {
    let (tensor, output) = one_to_one(graph, node, attributes)?;
    graph.name(output, tensor)
}

/// Between types that lose nothing on the way; a number is not cut to a whole one, since what becomes of NaN is up to
/// the processor.
fn cast(
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
fn concat(
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
fn reshape(
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

fn scaler(
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

fn normalizer(
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

fn imputer(
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

fn label_encoder(
    graph: &mut Graph<'_>,
    node: &NodeProto,
    attributes: &mut Attributes,
) -> Result<(), ModelRefused> {
    let (tensor, output) = one_to_one(graph, node, attributes)?;
    let (source, uses) = source(graph, tensor, attributes)?;
    let encode = Encode::label(attributes, source)?;
    encoded(graph, encode, uses, output)
}

fn one_hot_encoder(
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

fn linear_regressor(
    graph: &mut Graph<'_>,
    node: &NodeProto,
    attributes: &mut Attributes,
) -> Result<(), ModelRefused> {
    let (tensor, output) = one_to_one(graph, node, attributes)?;
    let Tensor::Floats(from) = tensor else {
        return Err(wrong_tensor(attributes));
    };
    let to = Span {
        first: graph.floats,
        len: 1,
    };
    let linear = Linear::regressor(attributes, (from, to))?;
    let uses = graph.through(from, &linear.looks_at());
    let to = graph.new_floats(vec![uses])?;
    graph.steps.push(Step::Linear(linear));
    graph.name(output, Tensor::Floats(to))
}

fn linear_classifier(
    graph: &mut Graph<'_>,
    node: &NodeProto,
    attributes: &mut Attributes,
) -> Result<(), ModelRefused> {
    let classifier = Classifier::take(graph, node, attributes, "classlabels_ints")?;
    let Classifier { from, to, decides } = classifier;
    let linear = Linear::classifier(attributes, (from, to), decides)?;
    let uses = graph.through(from, &linear.looks_at());
    graph.steps.push(Step::Linear(linear));
    classifier.name(graph, node, uses)
}

fn tree_classifier(
    graph: &mut Graph<'_>,
    node: &NodeProto,
    attributes: &mut Attributes,
) -> Result<(), ModelRefused> {
    let classifier = Classifier::take(graph, node, attributes, "classlabels_int64s")?;
    let Classifier { from, to, decides } = classifier;
    let (vote, looks_at) = Vote::classifier(attributes, (from, to), decides, graph.limits)?;
    let uses = graph.through(from, &looks_at);
    count(graph, &vote)?;
    graph.steps.push(Step::Vote(vote));
    classifier.name(graph, node, uses)
}

fn tree_regressor(
    graph: &mut Graph<'_>,
    node: &NodeProto,
    attributes: &mut Attributes,
) -> Result<(), ModelRefused> {
    let (tensor, output) = one_to_one(graph, node, attributes)?;
    let from = graph.floats(tensor, attributes)?;
    let to = Span {
        first: graph.floats,
        len: 1,
    };
    let (vote, looks_at) = Vote::regressor(attributes, (from, to), graph.limits)?;
    let uses = graph.through(from, &looks_at);
    count(graph, &vote)?;
    let to = graph.new_floats(vec![uses])?;
    graph.steps.push(Step::Vote(vote));
    graph.name(output, Tensor::Floats(to))
}

/// The limits hold for all ensembles together.
fn count(graph: &mut Graph<'_>, vote: &Vote) -> Result<(), ModelRefused> {
    graph.trees += vote.forest.trees();
    graph.nodes += vote.forest.nodes();
    let limits = graph.limits;
    // A lone leaf has become three nodes.
    for (found, max, what) in [
        (graph.trees, limits.trees_max, "trees"),
        (graph.nodes, limits.nodes_max.saturating_mul(3), "nodes"),
    ] {
        if found > max {
            return Err(ModelRefused::TooMany { what, max });
        }
    }
    Ok(())
}

/// What both kinds of classifiers have in common.
#[derive(Clone, Copy)]
struct Classifier {
    from: Span,
    to: Span,
    decides: bool,
}

impl Classifier {
    fn take(
        graph: &mut Graph<'_>,
        node: &NodeProto,
        attributes: &mut Attributes,
        ints: &'static str,
    ) -> Result<Classifier, ModelRefused> {
        let operator = attributes.operator();
        let ([input], [label, _]) = (&node.input[..], &node.output[..]) else {
            return Err(ModelRefused::Arity { operator });
        };
        let tensor = graph.tensor(input)?;
        let from = graph.floats(tensor, attributes)?;
        let labels = labels(attributes, ints, "classlabels_strings")?;
        let max = graph.limits.classes_max;
        if labels.len() > max {
            return Err(ModelRefused::TooMany {
                what: "classes",
                max,
            });
        }
        let to = Span {
            first: graph.floats,
            len: labels.len(),
        };
        let decides = graph.deciding.as_ref() == Some(label);
        if decides {
            graph.classes.clone_from(&labels);
        }
        graph.labelled.push(labels);
        Ok(Classifier { from, to, decides })
    }

    fn name(self, graph: &mut Graph<'_>, node: &NodeProto, uses: Uses) -> Result<(), ModelRefused> {
        let to = graph.new_floats(vec![uses; self.to.len])?;
        if self.decides {
            graph.name(&node.output[0], Tensor::Label)?;
        }
        graph.name(&node.output[1], Tensor::Floats(to))
    }
}

/// Labels that are numbers or texts, at least two, no two the same.
fn labels(
    attributes: &mut Attributes,
    ints: &'static str,
    strings: &'static str,
) -> Result<Vec<String>, ModelRefused> {
    let (numbers, texts) = (attributes.ints(ints)?, attributes.texts(strings)?);
    let labels = match (numbers.is_empty(), texts.is_empty()) {
        (false, true) => numbers.iter().map(i64::to_string).collect(),
        (true, false) => texts,
        _ => return Err(attributes.value(strings)),
    };
    if labels.len() < 2 {
        return Err(attributes.value(strings));
    }
    refused::names("class", labels.iter().map(String::as_str))?;
    Ok(labels)
}

/// Gives every number its label, which a classifier's numbers have in any case.
fn zip_map(
    graph: &mut Graph<'_>,
    node: &NodeProto,
    attributes: &mut Attributes,
) -> Result<(), ModelRefused> {
    let (tensor, output) = one_to_one(graph, node, attributes)?;
    let Tensor::Floats(span) = tensor else {
        return Err(wrong_tensor(attributes));
    };
    let labels = labels(attributes, "classlabels_int64s", "classlabels_strings")?;
    let known = graph.labelled.contains(&labels);
    if known && labels.len() == span.len && (graph.classes.is_empty() || graph.classes == labels) {
        graph.name(output, tensor)
    } else {
        Err(ModelRefused::ZipMapLabels)
    }
}
