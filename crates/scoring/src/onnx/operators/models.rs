//! Operators that are models, and the labels that classifiers give.

use super::{one_to_one, wrong_tensor};
use crate::ModelRefused;
use crate::onnx::attributes::Attributes;
use crate::onnx::graph::{Graph, Tensor, Uses};
use crate::onnx::linear::Linear;
use crate::onnx::message::NodeProto;
use crate::onnx::pipeline::{Span, Step};
use crate::onnx::vote::Vote;
use crate::refused;

pub(super) fn linear_regressor(
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

pub(super) fn linear_classifier(
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

pub(super) fn tree_classifier(
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

pub(super) fn tree_regressor(
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
pub(super) fn zip_map(
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
