//! From the bytes of a file to a [`Pipeline`]: operator by operator, in the file's order, which must be one in which
//! everything is given before it is used.
//!
//! A tensor is a name for registers. Operators that only rename, like `Identity`, give the same registers another name;
//! `Concat` of registers that already lie beside each other does no work either.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use prost::Message as _;

use super::message::{ModelProto, NodeProto};
use super::pipeline::{Answer, Pipeline, Span, Step};
use super::{inputs, operators, wire};
use crate::feature::FeatureSpec;
use crate::refused::shown;
use crate::{Limits, ModelRefused};

/// IR versions that are read: from the first with operator sets of a domain to the newest of ONNX 1.23.
const IR_VERSIONS: std::ops::RangeInclusive<i64> = 3..=13;
/// Versions of ONNX's own operator set between which the accepted operators mean the same.
const VERSIONS: std::ops::RangeInclusive<i64> = 1..=27;
/// Versions of `ai.onnx.ml`; version 5 replaces the tree ensembles by another operator and keeps the others.
const ML_VERSIONS: std::ops::RangeInclusive<i64> = 1..=5;
pub(super) const ML: &str = "ai.onnx.ml";

/// A parsed graph, with what is known of it.
pub(crate) struct Parsed {
    pub(crate) pipeline: Pipeline,
    pub(crate) features: Vec<FeatureSpec>,
    pub(crate) classes: Vec<String>,
    /// By feature, whether the answer can depend on it.
    pub(crate) used: Vec<bool>,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) enum Tensor {
    Floats(Span),
    /// The label that the deciding classifier gives.
    Label,
    /// Features of the row that are texts.
    Texts(Vec<usize>),
    Wholes(Span),
}

/// The graph while it is read.
pub(super) struct Graph<'a> {
    pub(super) limits: &'a Limits,
    pub(super) tensors: BTreeMap<String, Tensor>,
    /// Constants that are shapes, by name.
    pub(super) shapes: BTreeMap<String, Vec<i64>>,
    pub(super) steps: Vec<Step>,
    pub(super) floats: usize,
    pub(super) wholes: usize,
    /// Labels of the deciding classifier.
    pub(super) classes: Vec<String>,
    /// Labels of all classifiers, for `ZipMap` to be compared with.
    pub(super) labelled: Vec<Vec<String>>,
    /// Name of the label among the graph's outputs; the classifier that leads there decides.
    pub(super) deciding: Option<String>,
    /// By register of numbers and of whole numbers, the features that it depends on.
    pub(super) float_uses: Vec<Uses>,
    pub(super) whole_uses: Vec<Uses>,
    /// Trees and nodes so far.
    pub(super) trees: usize,
    pub(super) nodes: usize,
}

/// What a register depends on: features, and whether a model lies between. Many registers share one set of features, so
/// that a wide graph stays cheap.
#[derive(Clone, Debug, Default)]
pub(super) struct Uses {
    /// 64 features to a word.
    pub(super) features: Rc<Vec<u64>>,
    pub(super) model: bool,
}

impl Uses {
    /// Of one feature.
    pub(super) fn one(feature: usize) -> Uses {
        let mut words = vec![0; feature / 64 + 1];
        words[feature / 64] = 1 << (feature % 64);
        Uses {
            features: Rc::new(words),
            model: false,
        }
    }

    pub(super) fn add(&mut self, other: &Uses) {
        self.model |= other.model;
        if Rc::ptr_eq(&self.features, &other.features) {
            return;
        }
        let words = Rc::make_mut(&mut self.features);
        words.resize(words.len().max(other.features.len()), 0);
        for (word, more) in words.iter_mut().zip(other.features.iter()) {
            *word |= more;
        }
    }

    fn has(&self, feature: usize) -> bool {
        let word = self.features.get(feature / 64).copied();
        word.unwrap_or_default() >> (feature % 64) & 1 == 1
    }
}

/// Reads a whole file.
pub(crate) fn parse(bytes: &[u8], limits: &Limits) -> Result<Parsed, ModelRefused> {
    wire::check(bytes, limits)?;
    // The pass before has seen the encoding; what is left is text that is no UTF-8.
    let mut model =
        ModelProto::decode(bytes).map_err(|_| ModelRefused::Encoding("a text of the model"))?;
    let imported = imported(&model)?;
    let names = inputs::names(&model)?;
    let graph = model.graph.as_mut().ok_or(ModelRefused::Nothing("graph"))?;
    let outputs: Vec<String> = graph.output.iter().map(|o| o.name.clone()).collect();

    let nodes = std::mem::take(&mut graph.node);
    let mut reading = Graph::new(limits);
    reading.deciding = deciding(&nodes, &outputs);
    let (loads, features) = reading.inputs(graph, names)?;
    for mut node in nodes {
        if !imported.contains(normal(&node.domain)) {
            return Err(ModelRefused::NotImported(shown(&node.domain)));
        }
        operators::read(&mut reading, &mut node)?;
    }
    let (answer, used) = reading.answer(&outputs)?;
    let used = (0..features.len()).map(|at| used.has(at)).collect();
    Ok(Parsed {
        pipeline: Pipeline {
            loads,
            steps: reading.steps,
            floats: reading.floats,
            wholes: reading.wholes,
            answer,
        },
        features,
        classes: reading.classes,
        used,
    })
}

/// ONNX's own domain has two names.
pub(super) fn normal(domain: &str) -> &str {
    if domain == "ai.onnx" { "" } else { domain }
}

/// The imported domains, all of them known and in one version each. Exporters write the same import twice.
fn imported(model: &ModelProto) -> Result<BTreeSet<String>, ModelRefused> {
    if !IR_VERSIONS.contains(&model.ir_version) {
        return Err(ModelRefused::IrVersion(model.ir_version));
    }
    let mut versions = BTreeMap::new();
    for import in &model.opset_import {
        let (domain, version) = (normal(&import.domain).to_owned(), import.version);
        let accepted = match domain.as_str() {
            "" => VERSIONS.contains(&version),
            ML => ML_VERSIONS.contains(&version),
            _ => false,
        };
        if !accepted {
            return Err(ModelRefused::OperatorSet {
                domain: shown(&domain),
                version,
            });
        }
        if *versions.entry(domain).or_insert(version) != version {
            return Err(ModelRefused::NotImported(shown(&import.domain)));
        }
    }
    Ok(versions.into_keys().collect())
}

/// The output of a classifier from which a label comes, following renamings backwards from the graph's outputs.
fn deciding(nodes: &[NodeProto], outputs: &[String]) -> Option<String> {
    outputs.iter().find_map(|output| {
        let mut name = output;
        for node in nodes.iter().rev() {
            let gives = node.output.iter().position(|given| given == name);
            match (node.op_type.as_str(), gives) {
                (_, None) => {}
                ("TreeEnsembleClassifier" | "LinearClassifier", Some(0)) => {
                    return Some(name.clone());
                }
                ("Identity" | "Cast", Some(0)) => name = node.input.first()?,
                _ => return None,
            }
        }
        None
    })
}

impl<'a> Graph<'a> {
    fn new(limits: &'a Limits) -> Graph<'a> {
        Graph {
            limits,
            tensors: BTreeMap::new(),
            shapes: BTreeMap::new(),
            steps: Vec::new(),
            floats: 0,
            wholes: 0,
            classes: Vec::new(),
            labelled: Vec::new(),
            deciding: None,
            float_uses: Vec::new(),
            whole_uses: Vec::new(),
            trees: 0,
            nodes: 0,
        }
    }

    /// New registers for numbers that depend on what `uses` says, one entry each.
    pub(super) fn new_floats(&mut self, uses: Vec<Uses>) -> Result<Span, ModelRefused> {
        let span = self.new_span(self.floats, uses.len())?;
        self.floats += span.len;
        self.float_uses.extend(uses);
        Ok(span)
    }

    /// New registers for whole numbers.
    pub(super) fn new_wholes(&mut self, uses: Vec<Uses>) -> Result<Span, ModelRefused> {
        let span = self.new_span(self.wholes, uses.len())?;
        self.wholes += span.len;
        self.whole_uses.extend(uses);
        Ok(span)
    }

    /// A tensor is at most as wide as a row may be, and all of them together a small multiple of it.
    fn new_span(&self, first: usize, len: usize) -> Result<Span, ModelRefused> {
        let max = self.limits.features_max;
        if len > max || first + len > 16 * max {
            return Err(ModelRefused::TooMany {
                what: "columns",
                max,
            });
        }
        Ok(Span { first, len })
    }

    /// Names a tensor; a name is given once.
    pub(super) fn name(&mut self, name: &str, tensor: Tensor) -> Result<(), ModelRefused> {
        if self.shapes.contains_key(name) || self.tensors.insert(name.to_owned(), tensor).is_some()
        {
            return Err(ModelRefused::Duplicate {
                what: "tensor",
                text: shown(name),
            });
        }
        Ok(())
    }

    /// The tensor of this name.
    pub(super) fn tensor(&self, name: &str) -> Result<Tensor, ModelRefused> {
        let tensor = self.tensors.get(name).cloned();
        tensor.ok_or_else(|| ModelRefused::Unbound(shown(name)))
    }

    /// What the outputs make of the registers, and which features they depend on.
    fn answer(&self, outputs: &[String]) -> Result<(Answer, Uses), ModelRefused> {
        let mut label = false;
        let mut values = None;
        for output in outputs {
            match self.tensor(output)? {
                Tensor::Label if !label => label = true,
                Tensor::Floats(span) if values.is_none() => values = Some(span),
                _ => return Err(ModelRefused::Outputs),
            }
        }
        let span = values.ok_or(ModelRefused::Outputs)?;
        let mut uses = Uses::default();
        for register in span.of(&self.float_uses) {
            // Every number of the answer, or features could stand among them as they are.
            if !register.model {
                return Err(ModelRefused::NoModel);
            }
            uses.add(register);
        }
        let answer = match (label, span.len) {
            (true, len) if len == self.classes.len() => Answer::Classes(span),
            (false, 1) => Answer::Score(span.first),
            _ => return Err(ModelRefused::Outputs),
        };
        Ok((answer, uses))
    }
}
