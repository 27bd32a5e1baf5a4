//! A small model, and what it is refused with after each change: every refusal has its row.

use prost::Message as _;

use crate::onnx::message::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto,
};
use crate::{Feature, Limits, Model, ModelFormat, ModelRefused, ScoreFailed, Scores};

fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        f,
        kind: 1,
        ..Default::default()
    }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        i,
        kind: 2,
        ..Default::default()
    }
}

fn text(name: &str, text: &str) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        s: text.as_bytes().to_vec(),
        kind: 3,
        ..Default::default()
    }
}

fn floats(name: &str, floats: &[f32]) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        floats: floats.to_vec(),
        kind: 6,
        ..Default::default()
    }
}

fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        ints: ints.to_vec(),
        kind: 7,
        ..Default::default()
    }
}

fn texts(name: &str, texts: &[&str]) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        strings: texts.iter().map(|t| t.as_bytes().to_vec()).collect(),
        kind: 8,
        ..Default::default()
    }
}

fn value(name: &str, kind: i32, width: i64) -> ValueInfoProto {
    let dim = [0, width].map(|dim_value| DimensionProto { dim_value });
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type: kind,
                shape: Some(TensorShapeProto { dim: dim.to_vec() }),
            }),
        }),
    }
}

fn node(
    domain: &str,
    op_type: &str,
    input: &[&str],
    output: &[&str],
    attribute: Vec<AttributeProto>,
) -> NodeProto {
    let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    NodeProto {
        input: own(input),
        output: own(output),
        op_type: op_type.to_owned(),
        attribute,
        domain: domain.to_owned(),
    }
}

const ML: &str = "ai.onnx.ml";

/// Two trees over three numbers that give the log-odds of the second of two classes: `0: x0 <= 1 ? 1: 2`, and a leaf.
fn trees() -> ModelProto {
    let attributes = vec![
        ints("nodes_treeids", &[0, 0, 0, 1]),
        ints("nodes_nodeids", &[0, 1, 2, 0]),
        ints("nodes_featureids", &[0, 0, 0, 0]),
        texts("nodes_modes", &["BRANCH_LEQ", "LEAF", "LEAF", "LEAF"]),
        floats("nodes_values", &[1.0, 0.0, 0.0, 0.0]),
        ints("nodes_truenodeids", &[1, 0, 0, 0]),
        ints("nodes_falsenodeids", &[2, 0, 0, 0]),
        ints("class_treeids", &[0, 0, 1]),
        ints("class_nodeids", &[1, 2, 0]),
        ints("class_ids", &[0, 0, 0]),
        floats("class_weights", &[-1.0, 2.0, 0.5]),
        ints("classlabels_int64s", &[0, 1]),
        text("post_transform", "LOGISTIC"),
    ];
    let ensemble = node(
        ML,
        "TreeEnsembleClassifier",
        &["X"],
        &["label", "probabilities"],
        attributes,
    );
    model(
        vec![ensemble],
        vec![value("X", 1, 3)],
        &["label", "probabilities"],
    )
}

fn model(node: Vec<NodeProto>, input: Vec<ValueInfoProto>, outputs: &[&str]) -> ModelProto {
    let import = |domain: &str, version| OperatorSetIdProto {
        domain: domain.to_owned(),
        version,
    };
    ModelProto {
        ir_version: 8,
        graph: Some(GraphProto {
            node,
            initializer: vec![],
            input,
            output: outputs.iter().map(|name| value(name, 1, 1)).collect(),
        }),
        opset_import: vec![import("", 21), import(ML, 3)],
        metadata_props: vec![],
    }
}

fn parse(model: &ModelProto) -> Result<Model, ModelRefused> {
    Model::parse(
        ModelFormat::Onnx,
        &model.encode_to_vec(),
        &Limits::default(),
    )
}

fn graph(model: &mut ModelProto) -> &mut GraphProto {
    model.graph.as_mut().unwrap()
}

/// The attribute of the first operator.
fn attribute<'a>(model: &'a mut ModelProto, name: &str) -> &'a mut AttributeProto {
    let attributes = &mut graph(model).node[0].attribute;
    let mut found = attributes.iter_mut();
    found.find(|attribute| attribute.name == name).unwrap()
}

fn drop_attribute(model: &mut ModelProto, name: &str) {
    let attributes = &mut graph(model).node[0].attribute;
    let count = attributes.len();
    attributes.retain(|attribute| attribute.name != name);
    assert_eq!(attributes.len(), count - 1);
}

fn add(model: &mut ModelProto, attribute: AttributeProto) {
    graph(model).node[0].attribute.push(attribute);
}

type Row = (&'static str, fn(&mut ModelProto), &'static str);

/// Changes to the trees, and what the model is then refused with.
const TREES: &[Row] = &[
    (
        "a node twice",
        |m| attribute(m, "nodes_nodeids").ints[2] = 1,
        "tree 0 has node 1 twice",
    ),
    (
        "a tree in two parts",
        |m| attribute(m, "nodes_treeids").ints = vec![0, 1, 1, 0],
        "tree 0: node 0 leads to a node that is not there",
    ),
    (
        "a tree again after another",
        |m| {
            attribute(m, "nodes_treeids").ints = vec![1, 0, 1, 1];
            attribute(m, "nodes_modes").strings[0] = b"LEAF".to_vec();
            attribute(m, "class_treeids").ints = vec![0, 1, 1];
            attribute(m, "class_nodeids").ints = vec![1, 0, 2];
        },
        "tree 1 has node 2 twice",
    ),
    (
        "a branch to nowhere",
        |m| attribute(m, "nodes_falsenodeids").ints[0] = 7,
        "tree 0: node 0 leads to a node that is not there",
    ),
    (
        "a branch into another tree",
        |m| {
            attribute(m, "nodes_nodeids").ints[3] = 9;
            attribute(m, "nodes_falsenodeids").ints[0] = 9;
        },
        "tree 0: node 0 leads to a node that is not there",
    ),
    (
        "a branch to itself",
        |m| attribute(m, "nodes_truenodeids").ints[0] = 0,
        "tree 0: node 0 leads to itself or back",
    ),
    (
        "a cycle",
        |m| {
            attribute(m, "nodes_modes").strings[1] = b"BRANCH_LT".to_vec();
            attribute(m, "nodes_falsenodeids").ints[1] = 2;
        },
        "tree 0: node 1 leads to itself or back",
    ),
    (
        "a node with two parents",
        |m| attribute(m, "nodes_falsenodeids").ints[0] = 1,
        "tree 0: node 1 is not reached by exactly one branch",
    ),
    (
        "a node that nothing leads to",
        |m| {
            attribute(m, "nodes_treeids").ints[3] = 0;
            attribute(m, "nodes_nodeids").ints[3] = 3;
        },
        "tree 0: node 3 is not reached by exactly one branch",
    ),
    (
        "a root that is not first",
        |m| attribute(m, "nodes_nodeids").ints[..3].copy_from_slice(&[1, 0, 2]),
        "tree 0: node 1 leads to itself or back",
    ),
    (
        "a feature too far",
        |m| attribute(m, "nodes_featureids").ints[0] = 3,
        "tree 0: node 0 looks at a feature that is not there",
    ),
    (
        "a feature before the first",
        |m| attribute(m, "nodes_featureids").ints[0] = -1,
        "tree 0: node 0 looks at a feature that is not there",
    ),
    (
        "a feature that is one in 32 bits",
        |m| attribute(m, "nodes_featureids").ints[0] = 1 << 32,
        "tree 0: node 0 looks at a feature that is not there",
    ),
    (
        "a threshold that is no number",
        |m| attribute(m, "nodes_values").floats[0] = f32::NAN,
        "attribute `nodes_values` of TreeEnsembleClassifier has an entry that is no number",
    ),
    (
        "a weight that is no number",
        |m| attribute(m, "class_weights").floats[0] = f32::NAN,
        "attribute `class_weights` of TreeEnsembleClassifier has an entry that is no number",
    ),
    (
        "an infinite weight",
        |m| attribute(m, "class_weights").floats[0] = f32::INFINITY,
        "attribute `class_weights` of TreeEnsembleClassifier has an entry that is no number",
    ),
    (
        "weights of another length",
        |m| attribute(m, "class_weights").floats.truncate(2),
        "attribute `class_treeids` of TreeEnsembleClassifier has 3 entries, expected 2",
    ),
    (
        "modes of another length",
        |m| attribute(m, "nodes_modes").strings.truncate(3),
        "attribute `nodes_modes` of TreeEnsembleClassifier has 3 entries, expected 4",
    ),
    (
        "thresholds of another length",
        |m| attribute(m, "nodes_values").floats.push(1.0),
        "attribute `nodes_values` of TreeEnsembleClassifier has 5 entries, expected 4",
    ),
    (
        "missing values of another length",
        |m| add(m, ints("nodes_missing_value_tracks_true", &[1])),
        "attribute `nodes_missing_value_tracks_true` of TreeEnsembleClassifier has 1 entries, expected 4",
    ),
    (
        "missing values to nowhere",
        |m| add(m, ints("nodes_missing_value_tracks_true", &[2, 0, 0, 0])),
        "attribute `nodes_missing_value_tracks_true` of TreeEnsembleClassifier has a value that is not accepted",
    ),
    (
        "a mode of its own",
        |m| attribute(m, "nodes_modes").strings[0] = b"BRANCH_EXEC".to_vec(),
        "operator `BRANCH_EXEC` of domain `nodes_modes` is not accepted",
    ),
    (
        "a leaf without a weight",
        |m| {
            for name in ["class_treeids", "class_nodeids", "class_ids"] {
                attribute(m, name).ints.truncate(2);
            }
            attribute(m, "class_weights").floats.truncate(2);
        },
        "tree 1: the weights of node 0 are not those of a leaf",
    ),
    (
        "a leaf with two weights for a class",
        |m| attribute(m, "class_nodeids").ints[1] = 1,
        "tree 0: the weights of node 1 are not those of a leaf",
    ),
    (
        "a branch with a weight",
        |m| {
            attribute(m, "class_treeids").ints.push(0);
            attribute(m, "class_nodeids").ints.push(0);
            attribute(m, "class_ids").ints.push(0);
            attribute(m, "class_weights").floats.push(1.0);
        },
        "tree 0: the weights of node 0 are not those of a leaf",
    ),
    (
        "a weight of no node",
        |m| {
            attribute(m, "class_treeids").ints.push(5);
            attribute(m, "class_nodeids").ints.push(0);
            attribute(m, "class_ids").ints.push(0);
            attribute(m, "class_weights").floats.push(1.0);
        },
        "tree 5: the weights of node 0 are not those of a leaf",
    ),
    (
        "a weight for a class too far",
        |m| attribute(m, "class_ids").ints[0] = 2,
        "attribute `class_ids` of TreeEnsembleClassifier has a value that is not accepted",
    ),
    (
        "weights for both of two classes",
        |m| attribute(m, "class_ids").ints[2] = 1,
        "undefined by the specification: two classes with weights of both, or of the second only",
    ),
    (
        "weights for the second of two classes",
        |m| attribute(m, "class_ids").ints = vec![1, 1, 1],
        "undefined by the specification: two classes with weights of both, or of the second only",
    ),
    (
        "probabilities with a transform",
        |m| attribute(m, "class_weights").floats[0] = 1.0,
        "undefined by the specification: two classes with the weights of one, none negative, and a transform",
    ),
    (
        "log-odds without a transform",
        |m| drop_attribute(m, "post_transform"),
        "undefined by the specification: two classes with the weights of one, some negative, and no logistic transform",
    ),
    (
        "two base values for one weight",
        |m| add(m, floats("base_values", &[0.5, 0.5])),
        "undefined by the specification: two base values where two classes have the weights of one",
    ),
    (
        "base values of another length",
        |m| {
            attribute(m, "classlabels_int64s").ints = vec![0, 1, 2];
            add(m, floats("base_values", &[0.5, 0.5]));
        },
        "attribute `base_values` of TreeEnsembleClassifier has 2 entries, expected 3",
    ),
    (
        "a class without a weight",
        |m| attribute(m, "classlabels_int64s").ints = vec![0, 1, 2],
        "undefined by the specification: a class for which some rows get no weight at all",
    ),
    (
        "a probit",
        |m| attribute(m, "post_transform").s = b"PROBIT".to_vec(),
        "attribute `post_transform` of TreeEnsembleClassifier has a value that is not accepted",
    ),
    (
        "no labels",
        |m| drop_attribute(m, "classlabels_int64s"),
        "attribute `classlabels_strings` of TreeEnsembleClassifier has a value that is not accepted",
    ),
    (
        "labels of both kinds",
        |m| add(m, texts("classlabels_strings", &["a", "b"])),
        "attribute `classlabels_strings` of TreeEnsembleClassifier has a value that is not accepted",
    ),
    (
        "a single label",
        |m| attribute(m, "classlabels_int64s").ints = vec![0],
        "attribute `classlabels_strings` of TreeEnsembleClassifier has a value that is not accepted",
    ),
    (
        "the same label twice",
        |m| attribute(m, "classlabels_int64s").ints = vec![1, 1],
        "class `1` is there twice",
    ),
    (
        "a label that nobody can read",
        |m| {
            drop_attribute(m, "classlabels_int64s");
            add(m, texts("classlabels_strings", &["good\u{200b}", "good"]));
        },
        "class `good\\u{200b}` is not acceptable as a name",
    ),
    (
        "no trees",
        |m| {
            for attribute in &mut graph(m).node[0].attribute {
                attribute.strings.clear();
                attribute.floats.clear();
                if attribute.name != "classlabels_int64s" {
                    attribute.ints.clear();
                }
            }
        },
        "there is no tree",
    ),
];

/// Changes to what stands around the trees.
const GRAPHS: &[Row] = &[
    (
        "an unknown operator",
        |m| graph(m).node[0].op_type = "SVMClassifier".to_owned(),
        "operator `SVMClassifier` of domain `ai.onnx.ml` is not accepted",
    ),
    (
        "an operator of a neural network",
        |m| {
            graph(m).node[0].op_type = "MatMul".to_owned();
            graph(m).node[0].domain = String::new();
        },
        "operator `MatMul` of domain `` is not accepted",
    ),
    (
        "control flow",
        |m| {
            graph(m).node[0].op_type = "Loop".to_owned();
            graph(m).node[0].domain = String::new();
        },
        "operator `Loop` of domain `` is not accepted",
    ),
    (
        "a domain of its own",
        |m| graph(m).node[0].domain = "com.example".to_owned(),
        "operator set `com.example` is not imported exactly once",
    ),
    (
        "a domain of its own, imported",
        |m| m.opset_import[0].domain = "com.example".to_owned(),
        "operator set `com.example` version 21 is not accepted",
    ),
    (
        "operators of a version to come",
        |m| m.opset_import[1].version = 6,
        "operator set `ai.onnx.ml` version 6 is not accepted",
    ),
    (
        "operators of no version",
        |m| m.opset_import[0].version = 0,
        "operator set `` version 0 is not accepted",
    ),
    (
        "two versions of the same operators",
        |m| {
            m.opset_import.push(OperatorSetIdProto {
                domain: ML.to_owned(),
                version: 1,
            });
        },
        "operator set `ai.onnx.ml` is not imported exactly once",
    ),
    (
        "operators that are not imported",
        |m| m.opset_import.truncate(1),
        "operator set `ai.onnx.ml` is not imported exactly once",
    ),
    (
        "a file of a version to come",
        |m| m.ir_version = 99,
        "ir version 99 is not accepted",
    ),
    (
        "a file of no version",
        |m| m.ir_version = 0,
        "ir version 0 is not accepted",
    ),
    (
        "an unknown attribute",
        |m| add(m, int("threads", 8)),
        "attribute `threads` of TreeEnsembleClassifier is unknown, of another type or there twice",
    ),
    (
        "thresholds of 64 bits",
        |m| add(m, floats("nodes_values_as_tensor", &[])),
        "attribute `nodes_values_as_tensor` of TreeEnsembleClassifier is unknown, of another type or there twice",
    ),
    (
        "an attribute of another type",
        |m| attribute(m, "class_ids").kind = 6,
        "attribute `class_ids` of TreeEnsembleClassifier is unknown, of another type or there twice",
    ),
    (
        "an attribute that is text and number",
        |m| attribute(m, "post_transform").i = 1,
        "attribute `post_transform` of TreeEnsembleClassifier is unknown, of another type or there twice",
    ),
    (
        "an attribute twice",
        |m| add(m, text("post_transform", "NONE")),
        "attribute `post_transform` of TreeEnsembleClassifier is unknown, of another type or there twice",
    ),
    (
        "an attribute that is no text",
        |m| attribute(m, "post_transform").s = vec![0xff],
        "attribute `post_transform` of TreeEnsembleClassifier has a value that is not accepted",
    ),
    (
        "two inputs for one",
        |m| graph(m).node[0].input.push("X".to_owned()),
        "TreeEnsembleClassifier has another number of inputs or outputs",
    ),
    (
        "an input that is not there",
        |m| graph(m).node[0].input[0] = "Y".to_owned(),
        "`Y` is used before anything gives it",
    ),
    (
        "an operator that feeds itself",
        |m| graph(m).node[0].input[0] = "probabilities".to_owned(),
        "`probabilities` is used before anything gives it",
    ),
    (
        "two operators that feed each other",
        |m| {
            let later = node(ML, "Scaler", &["probabilities"], &["Y"], vec![]);
            graph(m).node[0].input[0] = "Y".to_owned();
            graph(m).node.push(later);
        },
        "`Y` is used before anything gives it",
    ),
    (
        "a name given twice",
        |m| graph(m).node[0].output[1] = "X".to_owned(),
        "tensor `X` is there twice",
    ),
    (
        "an output that is not there",
        |m| graph(m).output[1].name = "Y".to_owned(),
        "`Y` is used before anything gives it",
    ),
    (
        "features as the output",
        |m| graph(m).output[1].name = "X".to_owned(),
        "no tree ensemble and no linear model leads to the output",
    ),
    (
        "features beside the output",
        |m| {
            let join = node(
                "",
                "Concat",
                &["probabilities", "X"],
                &["Y"],
                vec![int("axis", 1)],
            );
            graph(m).node.push(join);
            graph(m).output[1].name = "Y".to_owned();
        },
        "no tree ensemble and no linear model leads to the output",
    ),
    (
        "only the label",
        |m| graph(m).output.truncate(1),
        "the outputs are neither one number nor a label with a number for each class",
    ),
    (
        "only the probabilities",
        |m| drop(graph(m).output.remove(0)),
        "the outputs are neither one number nor a label with a number for each class",
    ),
    (
        "an output too many",
        |m| graph(m).output.push(value("X", 1, 3)),
        "the outputs are neither one number nor a label with a number for each class",
    ),
    (
        "no output",
        |m| graph(m).output.clear(),
        "the outputs are neither one number nor a label with a number for each class",
    ),
    ("no input", |m| graph(m).input.clear(), "there is no input"),
    ("no graph", |m| m.graph = None, "there is no graph"),
    (
        "an input of 64 bits",
        |m| graph(m).input[0] = value("X", 11, 3),
        "input `X` has a type or shape that is not accepted",
    ),
    (
        "an input of any width",
        |m| graph(m).input[0] = value("X", 1, 0),
        "input `X` has a type or shape that is not accepted",
    ),
    (
        "an input of negative width",
        |m| graph(m).input[0] = value("X", 1, -3),
        "input `X` has a type or shape that is not accepted",
    ),
    (
        "an input without end",
        |m| graph(m).input[0] = value("X", 1, i64::MAX),
        "more than 1000 features",
    ),
    (
        "an input without a type",
        |m| graph(m).input[0].r#type = None,
        "input `X` has a type or shape that is not accepted",
    ),
    (
        "texts for a tree",
        |m| graph(m).input[0] = value("X", 8, 3),
        "TreeEnsembleClassifier gets a tensor of a type or a width that is not accepted",
    ),
    (
        "a label that is computed with",
        |m| {
            let scaler = node(ML, "Scaler", &["label"], &["Y"], vec![]);
            graph(m).node.push(scaler);
        },
        "Scaler gets a tensor of a type or a width that is not accepted",
    ),
    (
        "labels by another name",
        |m| {
            let labels = vec![ints("classlabels_int64s", &[1, 0])];
            let zip = node(ML, "ZipMap", &["probabilities"], &["Y"], labels);
            graph(m).node.push(zip);
            graph(m).output[1].name = "Y".to_owned();
        },
        "the labels of ZipMap are not those of the classifier",
    ),
    (
        "a constant that is no shape",
        |m| {
            graph(m).initializer.push(TensorProto {
                name: "weights".to_owned(),
                data_type: 1,
                dims: vec![1],
                raw_data: vec![0; 4],
                ..Default::default()
            });
        },
        "initializer `weights` is not a constant shape",
    ),
    (
        "a constant of more than it says",
        |m| {
            graph(m).initializer.push(TensorProto {
                name: "shape".to_owned(),
                data_type: 7,
                dims: vec![1],
                int64_data: vec![-1, 3],
                ..Default::default()
            });
        },
        "initializer `shape` is not a constant shape",
    ),
    (
        "a constant in a file beside",
        |m| {
            graph(m).initializer.push(TensorProto {
                name: "shape".to_owned(),
                data_type: 7,
                dims: vec![2],
                data_location: 1,
                external_data: vec![StringStringEntryProto {
                    key: "location".to_owned(),
                    value: "/etc/passwd".to_owned(),
                }],
                ..Default::default()
            });
        },
        "initializer `shape` lies outside the file",
    ),
    (
        "names for fewer features",
        |m| property(m, "lingqu.features", r#"["a", "b"]"#),
        "the list of feature names does not fit the inputs",
    ),
    (
        "names that are no list",
        |m| property(m, "lingqu.features", "a, b, c"),
        "the list of feature names does not fit the inputs",
    ),
    (
        "names that are the same",
        |m| property(m, "lingqu.features", r#"["a", "b", "a"]"#),
        "feature `a` is there twice",
    ),
    (
        "names that speak to terminals",
        |m| property(m, "lingqu.features", r#"["a", "b", "\u001b[2J"]"#),
        "feature `\\u{1b}[2J` is not acceptable as a name",
    ),
];

fn property(model: &mut ModelProto, key: &str, value: &str) {
    model.metadata_props.push(StringStringEntryProto {
        key: key.to_owned(),
        value: value.to_owned(),
    });
}

/// One operator that is not a tree, in front of a linear model over three numbers.
fn prepared(operator: NodeProto, kind: i32) -> ModelProto {
    let linear = node(
        ML,
        "LinearRegressor",
        &["Y"],
        &["value"],
        vec![
            floats("coefficients", &[1.0, 2.0, 3.0]),
            floats("intercepts", &[4.0]),
        ],
    );
    model(
        vec![operator, linear],
        vec![value("X", kind, 3)],
        &["value"],
    )
}

#[test]
fn every_change_is_refused_with_its_reason() {
    parse(&trees()).unwrap();
    for (what, change, expected) in TREES.iter().chain(GRAPHS) {
        let mut model = trees();
        change(&mut model);
        let refused = parse(&model).expect_err(what);
        assert_eq!(refused.to_string(), *expected, "{what}");
    }
}

#[test]
fn operators_with_wrong_attributes_are_refused() {
    let three = [1.0, 2.0, 3.0];
    let rows: Vec<(NodeProto, i32, &str)> = vec![
        (
            node(ML, "Scaler", &["X"], &["Y"], vec![floats("scale", &three)]),
            1,
            "attribute `offset` of Scaler has 0 entries, expected 3",
        ),
        (
            node(
                ML,
                "Scaler",
                &["X"],
                &["Y"],
                vec![floats("scale", &three[1..]), floats("offset", &three)],
            ),
            1,
            "attribute `scale` of Scaler has 2 entries, expected 3",
        ),
        (
            node(
                ML,
                "Scaler",
                &["X"],
                &["Y"],
                vec![floats("scale", &[f32::NAN]), floats("offset", &three)],
            ),
            1,
            "attribute `scale` of Scaler has an entry that is no number",
        ),
        (
            node(
                ML,
                "Imputer",
                &["X"],
                &["Y"],
                vec![floats("imputed_value_floats", &three)],
            ),
            1,
            "attribute `replaced_value_float` of Imputer is missing",
        ),
        (
            node(
                ML,
                "Imputer",
                &["X"],
                &["Y"],
                vec![
                    float("replaced_value_float", f32::NAN),
                    floats("imputed_value_floats", &three[1..]),
                ],
            ),
            1,
            "attribute `imputed_value_floats` of Imputer has 2 entries, expected 3",
        ),
        (
            node(ML, "Normalizer", &["X"], &["Y"], vec![text("norm", "MAX")]),
            1,
            "attribute `norm` of Normalizer has a value that is not accepted",
        ),
        (
            node(ML, "Normalizer", &["X"], &["Y"], vec![text("norm", "L2")]),
            7,
            "Normalizer gets a tensor of a type or a width that is not accepted",
        ),
        (
            node("", "Cast", &["X"], &["Y"], vec![int("to", 7)]),
            1,
            "attribute `to` of Cast has a value that is not accepted",
        ),
        (
            node("", "Concat", &["X"], &["Y"], vec![int("axis", 0)]),
            1,
            "attribute `axis` of Concat has a value that is not accepted",
        ),
        (
            node("", "Concat", &[], &["Y"], vec![int("axis", 1)]),
            1,
            "Concat gets a tensor of a type or a width that is not accepted",
        ),
        (
            node("", "Reshape", &["X", "shape"], &["Y"], vec![]),
            1,
            "`shape` is used before anything gives it",
        ),
        (
            node("", "Identity", &["X"], &["Y", "Z"], vec![]),
            1,
            "Identity has another number of inputs or outputs",
        ),
        (
            node(
                ML,
                "LabelEncoder",
                &["X"],
                &["Y"],
                vec![
                    texts("keys_strings", &["a", "a"]),
                    floats("values_floats", &[1.0, 2.0]),
                ],
            ),
            8,
            "attribute `keys_*` of LabelEncoder has a value that is not accepted",
        ),
        (
            node(
                ML,
                "LabelEncoder",
                &["X"],
                &["Y"],
                vec![
                    texts("keys_strings", &["a", "b"]),
                    floats("values_floats", &[1.0]),
                ],
            ),
            8,
            "attribute `values_floats` of LabelEncoder has 1 entries, expected 2",
        ),
        (
            node(
                ML,
                "LabelEncoder",
                &["X"],
                &["Y"],
                vec![
                    texts("keys_strings", &["a"]),
                    texts("values_strings", &["b"]),
                ],
            ),
            8,
            "attribute `values_floats` of LabelEncoder has 0 entries, expected 1",
        ),
        (
            node(
                ML,
                "OneHotEncoder",
                &["X"],
                &["Y"],
                vec![ints("cats_int64s", &[1, 2])],
            ),
            1,
            "OneHotEncoder gets a tensor of a type or a width that is not accepted",
        ),
        (
            node(
                ML,
                "OneHotEncoder",
                &["X"],
                &["Y"],
                vec![ints("cats_int64s", &[])],
            ),
            7,
            "attribute `cats_*` of OneHotEncoder has a value that is not accepted",
        ),
    ];
    for (operator, kind, expected) in rows {
        let refused = parse(&prepared(operator, kind)).unwrap_err();
        assert_eq!(refused.to_string(), expected);
    }
}

#[test]
fn linear_models_with_wrong_attributes_are_refused() {
    let fine = || {
        let identity = node("", "Identity", &["X"], &["Y"], vec![]);
        prepared(identity, 1)
    };
    let model = parse(&fine()).unwrap();
    let mut scores = Scores::default();
    model
        .score(&[Feature::Number(1.0); 3], &mut scores)
        .unwrap();
    assert_eq!(scores.score, Some(10.0));

    let rows: Vec<(AttributeProto, &str)> = vec![
        (
            floats("coefficients", &[1.0, 2.0]),
            "attribute `coefficients` of LinearRegressor has 2 entries, expected 3",
        ),
        (
            floats("coefficients", &[1.0, 2.0, f32::INFINITY]),
            "attribute `coefficients` of LinearRegressor has an entry that is no number",
        ),
        (
            floats("intercepts", &[1.0, 2.0]),
            "attribute `intercepts` of LinearRegressor has 2 entries, expected 1",
        ),
        (
            int("targets", 2),
            "attribute `targets` of LinearRegressor has a value that is not accepted",
        ),
        (
            text("post_transform", "LOGISTIC"),
            "attribute `post_transform` of LinearRegressor has a value that is not accepted",
        ),
    ];
    for (attribute, expected) in rows {
        let mut model = fine();
        let attributes = &mut graph(&mut model).node[1].attribute;
        attributes.retain(|known| known.name != attribute.name);
        attributes.push(attribute);
        assert_eq!(parse(&model).unwrap_err().to_string(), expected);
    }
}

#[test]
fn limits_hold_for_all_ensembles_together() {
    let bytes = trees().encode_to_vec();
    let refused = |limits: Limits| {
        Model::parse(ModelFormat::Onnx, &bytes, &limits)
            .unwrap_err()
            .to_string()
    };
    let limits = Limits::default;
    for (limits, expected) in [
        (
            Limits {
                nodes_max: 3,
                ..limits()
            },
            "more than 3 texts of an attribute",
        ),
        (
            Limits {
                trees_max: 1,
                ..limits()
            },
            "more than 1 trees",
        ),
        (
            Limits {
                depth_max: 0,
                ..limits()
            },
            "tree 0 is deeper than 0",
        ),
        (
            Limits {
                features_max: 2,
                ..limits()
            },
            "more than 2 features",
        ),
        (
            Limits {
                classes_max: 1,
                ..limits()
            },
            "more than 1 classes",
        ),
    ] {
        assert_eq!(refused(limits), expected);
    }
    Model::parse(
        ModelFormat::Onnx,
        &bytes,
        &Limits {
            nodes_max: 4,
            trees_max: 2,
            depth_max: 1,
            features_max: 3,
            classes_max: 2,
            model_bytes_max: bytes.len(),
        },
    )
    .unwrap();

    let mut twice = trees();
    let mut second = graph(&mut twice).node[0].clone();
    second.output = vec!["label2".to_owned(), "probabilities2".to_owned()];
    graph(&mut twice).node.push(second);
    let limits = Limits {
        trees_max: 3,
        ..limits()
    };
    let refused = Model::parse(ModelFormat::Onnx, &twice.encode_to_vec(), &limits);
    assert_eq!(refused.unwrap_err().to_string(), "more than 3 trees");
}

#[test]
fn a_chain_of_branches_is_as_deep_as_it_is_long() {
    let deep = |depth: i64| {
        let mut model = trees();
        let count = 2 * depth + 1;
        // Even ids are branches, each to a leaf and the next branch; the last is a leaf.
        let ids: Vec<i64> = (0..count).collect();
        let branch = |id: &i64| id % 2 == 0 && *id < count - 1;
        let leaves: Vec<i64> = ids.iter().copied().filter(|id| !branch(id)).collect();
        let modes = ids
            .iter()
            .map(|id| if branch(id) { "BRANCH_LT" } else { "LEAF" });
        let modes = modes.map(|mode| mode.as_bytes().to_vec()).collect();
        attribute(&mut model, "nodes_modes").strings = modes;
        attribute(&mut model, "nodes_values").floats = vec![1.0; ids.len()];
        attribute(&mut model, "class_weights").floats = vec![-1.0; leaves.len()];
        for (name, list) in [
            ("nodes_treeids", vec![0; ids.len()]),
            ("nodes_featureids", vec![0; ids.len()]),
            ("nodes_truenodeids", ids.iter().map(|id| id + 1).collect()),
            ("nodes_falsenodeids", ids.iter().map(|id| id + 2).collect()),
            ("nodes_nodeids", ids.clone()),
            ("class_treeids", vec![0; leaves.len()]),
            ("class_ids", vec![0; leaves.len()]),
            ("class_nodeids", leaves),
        ] {
            attribute(&mut model, name).ints = list;
        }
        parse(&model)
    };
    deep(64).unwrap();
    assert_eq!(
        deep(65).unwrap_err().to_string(),
        "tree 0 is deeper than 64"
    );
    assert_eq!(
        deep(20_000).unwrap_err().to_string(),
        "tree 0 is deeper than 64"
    );
}

/// A field of length-delimited content.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::bytes::encode(number, &content.to_vec(), &mut bytes);
    bytes
}

fn refused_bytes(bytes: &[u8]) -> String {
    Model::parse(ModelFormat::Onnx, bytes, &Limits::default())
        .unwrap_err()
        .to_string()
}

#[test]
fn what_a_reader_of_protobuf_would_skip_or_merge_is_refused() {
    let fine = trees().encode_to_vec();
    let graph = trees().graph.unwrap().encode_to_vec();
    let with = |more: Vec<u8>| refused_bytes(&[&fine[..], &more].concat());
    assert_eq!(with(field(25, b"")), "the model brings functions");
    assert_eq!(with(field(20, b"")), "the model brings training");
    assert_eq!(
        with(field(26, b"")),
        "the model brings a device configuration"
    );
    assert_eq!(with(field(99, b"")), "the model has the unknown field 99");
    assert_eq!(with(field(7, &graph)), "the model has the field 7 twice");
    assert_eq!(with(vec![0x08, 0x08]), "the model has the field 1 twice");
    assert_eq!(
        with(vec![0x0b]),
        "the protobuf encoding of the model is broken"
    );
    assert_eq!(
        with(vec![0xff; 11]),
        "the protobuf encoding of the model is broken"
    );
    assert_eq!(
        with(field(14, &[0x0a, 0x05])),
        "the protobuf encoding of a property is broken"
    );

    let inside = |more: Vec<u8>| refused_bytes(&field(7, &[&graph[..], &more].concat()));
    assert_eq!(
        inside(field(15, b"")),
        "the model brings sparse initializers"
    );
    assert_eq!(inside(field(14, b"")), "the model brings quantization");
    let operator = |content: Vec<u8>| inside(field(1, &content));
    assert_eq!(
        operator(field(8, b"x")),
        "the model brings overloaded functions"
    );
    let with_attribute = |content: Vec<u8>| operator(field(5, &content));
    for (number, expected) in [
        (5, "a tensor as an attribute"),
        (6, "a graph inside of an operator"),
        (11, "a graph inside of an operator"),
        (14, "a type as an attribute"),
        (21, "a function's attribute"),
        (22, "a tensor as an attribute"),
    ] {
        assert_eq!(
            with_attribute(field(number, b"")),
            format!("the model brings {expected}")
        );
    }
    assert_eq!(
        with_attribute([field(1, b"a"), field(1, b"a")].concat()),
        "an attribute has the field 1 twice"
    );
}

#[test]
fn a_few_bytes_do_not_become_many() {
    // Two bytes each, that a decoder would make structures of two hundred bytes of.
    let nodes = [0x0a, 0x00].repeat(100_000);
    assert_eq!(refused_bytes(&field(7, &nodes)), "more than 1000 operators");
    let attributes = field(1, &[0x2a, 0x00].repeat(100_000));
    assert_eq!(
        refused_bytes(&field(7, &attributes)),
        "more than 64 attributes of an operator"
    );
    let texts = field(1, &field(5, &[0x4a, 0x00].repeat(600_000)));
    assert_eq!(
        refused_bytes(&field(7, &texts)),
        "more than 500000 texts of an attribute"
    );
    let inputs = [0x5a, 0x00].repeat(100_000);
    assert_eq!(refused_bytes(&field(7, &inputs)), "more than 1000 inputs");
    let limit = Limits::default().model_bytes_max;
    assert_eq!(
        refused_bytes(&vec![0; limit + 1]),
        format!(
            "the model has {} bytes, at most {limit} are accepted",
            limit + 1
        )
    );
    assert_eq!(refused_bytes(b""), "ir version 0 is not accepted");
    assert_eq!(
        refused_bytes(b"\x89PNG\r\n\x1a\n"),
        "the model has the unknown field 1281"
    );
}

#[test]
fn names_from_the_properties_are_the_features() {
    let mut named = trees();
    property(
        &mut named,
        "lingqu.features",
        r#"["months", "月数", "base"]"#,
    );
    property(&mut named, "author", "somebody");
    let model = parse(&named).unwrap();
    let names: Vec<&str> = model.features().iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["months", "月数", "base"]);
    assert_eq!(model.features_used(), 1);
}

#[test]
fn whole_numbers_have_no_fractions_and_are_never_missing() {
    let cast = prepared(node("", "Cast", &["X"], &["Y"], vec![int("to", 1)]), 7);
    let model = parse(&cast).unwrap();
    let mut scores = Scores::default();
    let mut of = |last: Feature<'_>| {
        let row = [Feature::Number(0.0), Feature::Number(0.0), last];
        model
            .score(&row, &mut scores)
            .map(|()| scores.score.unwrap())
    };
    assert_eq!(of(Feature::Number(-2.0)), Ok(-2.0));
    let not_whole = Err(ScoreFailed::NotWhole { feature: 2 });
    for value in [0.5, f64::NAN, f64::INFINITY, 1e300, -1e16] {
        assert_eq!(of(Feature::Number(value)), not_whole);
    }
    assert_eq!(of(Feature::Missing), not_whole);
    assert_eq!(
        of(Feature::Text("2")),
        Err(ScoreFailed::Kind { feature: 2 })
    );
}

#[test]
fn categories_that_the_model_has_no_answer_for_get_none() {
    let one_hot = |zeros| {
        let attributes = vec![texts("cats_strings", &["a", "b", "c"]), int("zeros", zeros)];
        let mut model = prepared(node(ML, "OneHotEncoder", &["X"], &["Y"], attributes), 8);
        graph(&mut model).input[0] = value("X", 8, 1);
        parse(&model).unwrap()
    };
    let mut scores = Scores::default();
    let mut of = |model: &Model, text| {
        let scored = model.score(&[text], &mut scores);
        scored.map(|()| scores.score.unwrap())
    };
    let (lenient, strict) = (one_hot(1), one_hot(0));
    assert_eq!(of(&strict, Feature::Text("b")), Ok(6.0));
    assert_eq!(of(&lenient, Feature::Text("x")), Ok(4.0));
    assert_eq!(of(&lenient, Feature::Missing), Ok(4.0));
    assert_eq!(
        of(&strict, Feature::Text("x")),
        Err(ScoreFailed::UnknownCategory)
    );
    assert_eq!(
        of(&strict, Feature::Number(1.0)),
        Err(ScoreFailed::Kind { feature: 0 })
    );
}
