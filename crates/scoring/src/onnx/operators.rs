//! One operator after the other: which are accepted, what they take, and the steps that they become.

mod columns;
mod models;

use super::attributes::Attributes;
use super::graph::{Graph, ML, Tensor, Uses, normal};
use super::message::NodeProto;
use super::pipeline::{Span, Step};
use crate::ModelRefused;
use crate::refused::shown;
use columns::{
    cast, concat, identity, imputer, label_encoder, normalizer, one_hot_encoder, reshape, scaler,
};
use models::{linear_classifier, linear_regressor, tree_classifier, tree_regressor, zip_map};

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
