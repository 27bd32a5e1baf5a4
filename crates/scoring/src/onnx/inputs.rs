//! The inputs and constants of a graph, and how its features are called.

use super::graph::{Graph, Tensor, Uses};
use super::message::{FLOAT, GraphProto, INT64, ModelProto, STRING, TensorProto, ValueInfoProto};
use super::pipeline::{Load, Span};
use super::trees::FEATURES_MAX;
use crate::ModelRefused;
use crate::feature::FeatureSpec;
use crate::refused::{self, shown};

/// The property that names the features.
const FEATURES: &str = "lingqu.features";

/// The names that the model's property gives its features, if it has it.
pub(super) fn names(model: &ModelProto) -> Result<Option<Vec<String>>, ModelRefused> {
    let mut lists = model.metadata_props.iter().filter(|p| p.key == FEATURES);
    match (lists.next(), lists.next()) {
        (None, _) => Ok(None),
        (Some(list), None) => serde_json::from_str(&list.value)
            .map(Some)
            .map_err(|_| ModelRefused::FeatureNames),
        (Some(_), Some(_)) => Err(ModelRefused::FeatureNames),
    }
}

impl Graph<'_> {
    /// Reads inputs and constants; gives where each feature's value goes.
    pub(super) fn inputs(
        &mut self,
        graph: &mut GraphProto,
        names: Option<Vec<String>>,
    ) -> Result<(Vec<Load>, Vec<FeatureSpec>), ModelRefused> {
        for tensor in std::mem::take(&mut graph.initializer) {
            let shape = shape(&tensor)?;
            if self.shapes.insert(tensor.name.clone(), shape).is_some() {
                return Err(ModelRefused::Duplicate {
                    what: "initializer",
                    text: shown(&tensor.name),
                });
            }
        }
        let (mut loads, mut called) = (Vec::new(), Vec::new());
        for input in &graph.input {
            let (kind, width) = columns(input)?;
            let first = loads.len();
            let max = self.limits.features_max.min(FEATURES_MAX);
            if width > max - first {
                return Err(ModelRefused::TooMany {
                    what: "features",
                    max,
                });
            }
            let tensor = self.load(kind, first, width, &mut loads)?;
            self.name(&input.name, tensor)?;
            called.extend((0..width).map(|at| match width {
                1 => input.name.clone(),
                _ => format!("{}[{at}]", input.name),
            }));
        }
        if loads.is_empty() {
            return Err(ModelRefused::Nothing("input"));
        }
        let called = names.unwrap_or(called);
        if called.len() != loads.len() {
            return Err(ModelRefused::FeatureNames);
        }
        refused::names("feature", called.iter().map(String::as_str))?;
        let specs = { called.into_iter().zip(&loads) }
            .map(|(name, load)| FeatureSpec {
                name,
                kind: load.kind(),
            })
            .collect();
        Ok((loads, specs))
    }

    /// Registers for an input whose features begin at `first`.
    fn load(
        &mut self,
        kind: i32,
        first: usize,
        width: usize,
        loads: &mut Vec<Load>,
    ) -> Result<Tensor, ModelRefused> {
        let features = first..first + width;
        let uses = features.clone().map(Uses::one).collect();
        let registers = |span: Span| span.first..span.first + span.len;
        Ok(match kind {
            FLOAT => {
                let span = self.new_floats(uses)?;
                loads.extend(registers(span).map(Load::Float));
                Tensor::Floats(span)
            }
            INT64 => {
                let span = self.new_wholes(uses)?;
                loads.extend(registers(span).map(Load::Whole));
                Tensor::Wholes(span)
            }
            _ => {
                loads.extend(features.clone().map(|_| Load::Text));
                Tensor::Texts(features.collect())
            }
        })
    }
}

/// Type and width of an input: rows by columns, or rows of one value.
fn columns(input: &ValueInfoProto) -> Result<(i32, usize), ModelRefused> {
    let refused = || ModelRefused::Input(shown(&input.name));
    let tensor = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
    let tensor = tensor.ok_or_else(refused)?;
    let shape = tensor.shape.as_ref().ok_or_else(refused)?;
    let width = match &shape.dim[..] {
        [_, columns] => usize::try_from(columns.dim_value).ok(),
        _ => None,
    };
    match (tensor.elem_type, width) {
        (kind @ (FLOAT | INT64 | STRING), Some(width)) if width > 0 => Ok((kind, width)),
        _ => Err(refused()),
    }
}

/// The only constants that any accepted operator takes are shapes: a few whole numbers, inside of the file.
fn shape(tensor: &TensorProto) -> Result<Vec<i64>, ModelRefused> {
    if !tensor.external_data.is_empty() || tensor.data_location != 0 {
        return Err(ModelRefused::ExternalData(shown(&tensor.name)));
    }
    let refused = || ModelRefused::Initializer(shown(&tensor.name));
    let values = match (&tensor.int64_data[..], &tensor.raw_data[..]) {
        (values, []) => values.to_vec(),
        ([], raw) if raw.len() <= 64 && raw.len().is_multiple_of(8) => {
            let words = raw.chunks_exact(8);
            words
                .map(|word| i64::from_le_bytes(word.try_into().expect("chunks of eight")))
                .collect()
        }
        _ => return Err(refused()),
    };
    let fits = tensor.data_type == INT64 && tensor.dims[..] == [values.len() as i64];
    if fits { Ok(values) } else { Err(refused()) }
}
