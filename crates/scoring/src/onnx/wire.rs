//! A first pass over the protobuf encoding: only fields of the accepted subset, each as often as it may stand.
//!
//! A protobuf reader skips what it does not know, merges what stands twice, and makes a large structure of every empty
//! message of two bytes. So this pass walks the bytes with a table of what is accepted, without allocating, and only
//! what it lets through is decoded. Field numbers and types: onnx.proto of ONNX 1.23 (IR version 13).

use crate::{Limits, ModelRefused};

/// How often a field may stand in its message.
#[derive(Clone, Copy)]
enum Often {
    Once,
    /// At most this many, called so in the refusal.
    Upto(usize, &'static str),
    /// At most as many as the limits have nodes.
    Nodes(&'static str),
    /// At most as many as the limits have features.
    Features(&'static str),
}

use Often::{Features, Nodes, Once, Upto};

/// What a field holds.
#[derive(Clone, Copy)]
enum Holds {
    /// A varint.
    Int,
    /// Varints, alone or packed.
    Ints,
    /// Four bytes.
    Float,
    /// Four bytes each, alone or packed.
    Floats,
    /// Bytes that are a text, data, or not looked at.
    Bytes,
    /// Another message.
    Message(&'static Message),
    /// Something that the subset leaves out on purpose, called so in the refusal.
    Extra(&'static str),
}

use Holds::{Bytes, Extra, Float, Floats, Int, Ints};

struct Message {
    name: &'static str,
    fields: &'static [(u32, Holds, Often)],
}

/// Operators that one graph may have; exporters make a handful.
const OPERATORS_MAX: usize = 1_000;
/// Entries of every other list that nothing bounds by itself.
const ENTRIES_MAX: usize = 1_000;

const MODEL: Message = Message {
    name: "the model",
    fields: &[
        (1, Int, Once),
        (2, Bytes, Once),
        (3, Bytes, Once),
        (4, Bytes, Once),
        (5, Int, Once),
        (6, Bytes, Once),
        (7, Holds::Message(&GRAPH), Once),
        (8, Holds::Message(&OPERATOR_SET), Upto(16, "operator sets")),
        (14, Holds::Message(&ENTRY), Upto(ENTRIES_MAX, "properties")),
        (20, Extra("training"), Once),
        (25, Extra("functions"), Once),
        (26, Extra("a device configuration"), Once),
    ],
};

const OPERATOR_SET: Message = Message {
    name: "an operator set",
    fields: &[(1, Bytes, Once), (2, Int, Once)],
};

const ENTRY: Message = Message {
    name: "a property",
    fields: &[(1, Bytes, Once), (2, Bytes, Once)],
};

const GRAPH: Message = Message {
    name: "the graph",
    fields: &[
        (1, Holds::Message(&NODE), Upto(OPERATORS_MAX, "operators")),
        (2, Bytes, Once),
        (
            5,
            Holds::Message(&TENSOR),
            Upto(ENTRIES_MAX, "initializers"),
        ),
        (10, Bytes, Once),
        (11, Holds::Message(&VALUE), Features("inputs")),
        (12, Holds::Message(&VALUE), Upto(8, "outputs")),
        // Hints on types in between, which are worked out here in any case: not looked at and not kept.
        (13, Bytes, Upto(usize::MAX, "hints")),
        (14, Extra("quantization"), Once),
        (15, Extra("sparse initializers"), Once),
        (16, Bytes, Upto(usize::MAX, "properties")),
    ],
};

const NODE: Message = Message {
    name: "an operator",
    fields: &[
        (1, Bytes, Features("inputs of an operator")),
        (2, Bytes, Upto(8, "outputs of an operator")),
        (3, Bytes, Once),
        (4, Bytes, Once),
        (
            5,
            Holds::Message(&ATTRIBUTE),
            Upto(64, "attributes of an operator"),
        ),
        (6, Bytes, Once),
        (7, Bytes, Once),
        (8, Extra("overloaded functions"), Once),
        (9, Bytes, Upto(usize::MAX, "properties")),
        (10, Extra("a device configuration"), Once),
    ],
};

const ATTRIBUTE: Message = Message {
    name: "an attribute",
    fields: &[
        (1, Bytes, Once),
        (2, Float, Once),
        (3, Int, Once),
        (4, Bytes, Once),
        (5, Extra("a tensor as an attribute"), Once),
        (6, Extra("a graph inside of an operator"), Once),
        (7, Floats, Upto(usize::MAX, "numbers")),
        (8, Ints, Upto(usize::MAX, "numbers")),
        (9, Bytes, Nodes("texts of an attribute")),
        (10, Extra("a tensor as an attribute"), Once),
        (11, Extra("a graph inside of an operator"), Once),
        (13, Bytes, Once),
        (14, Extra("a type as an attribute"), Once),
        (15, Extra("a type as an attribute"), Once),
        (20, Int, Once),
        (21, Extra("a function's attribute"), Once),
        (22, Extra("a tensor as an attribute"), Once),
        (23, Extra("a tensor as an attribute"), Once),
    ],
};

const TENSOR: Message = Message {
    name: "an initializer",
    fields: &[
        (1, Ints, Upto(8, "dimensions")),
        (2, Int, Once),
        (7, Ints, Upto(8, "numbers of an initializer")),
        (8, Bytes, Once),
        (9, Bytes, Once),
        (12, Bytes, Once),
        // Refused with the name of the tensor once decoded.
        (
            13,
            Holds::Message(&ENTRY),
            Upto(16, "places of external data"),
        ),
        (14, Int, Once),
    ],
};

const VALUE: Message = Message {
    name: "an input or output",
    fields: &[
        (1, Bytes, Once),
        (2, Holds::Message(&TYPE), Once),
        (3, Bytes, Once),
        (4, Bytes, Upto(usize::MAX, "properties")),
    ],
};

const TYPE: Message = Message {
    name: "a type",
    fields: &[
        (1, Holds::Message(&TENSOR_TYPE), Once),
        // What `ZipMap` gives; only that it is one is of interest.
        (4, Bytes, Once),
        (6, Bytes, Once),
    ],
};

const TENSOR_TYPE: Message = Message {
    name: "a tensor type",
    fields: &[(1, Int, Once), (2, Holds::Message(&SHAPE), Once)],
};

const SHAPE: Message = Message {
    name: "a shape",
    fields: &[(1, Holds::Message(&DIMENSION), Upto(8, "dimensions"))],
};

const DIMENSION: Message = Message {
    name: "a dimension",
    fields: &[(1, Int, Once), (2, Bytes, Once), (3, Bytes, Once)],
};

/// Checks a whole file.
pub(super) fn check(bytes: &[u8], limits: &Limits) -> Result<(), ModelRefused> {
    walk(&MODEL, bytes, limits)
}

/// The depth of the recursion is that of the tables above.
fn walk(message: &'static Message, mut bytes: &[u8], limits: &Limits) -> Result<(), ModelRefused> {
    let broken = ModelRefused::Encoding(message.name);
    let mut counts = [0_usize; 32];
    while !bytes.is_empty() {
        let key = varint(&mut bytes).ok_or(broken.clone())?;
        let (number, wire) = (u32::try_from(key >> 3), key & 7);
        let number = number.map_err(|_| broken.clone())?;
        let found = message.fields.iter().enumerate();
        let Some((at, (_, holds, often))) = { found }.find(|(_, (known, ..))| *known == number)
        else {
            return Err(ModelRefused::UnknownField {
                message: message.name,
                field: number,
            });
        };
        let count = entry(*holds, wire, &mut bytes, limits)?.ok_or(broken.clone())?;
        counts[at] += count;
        bound(message, number, *often, counts[at], limits)?;
    }
    Ok(())
}

/// Takes one field's content; gives how many entries it has, nothing if its encoding is broken.
fn entry(
    holds: Holds,
    wire: u64,
    bytes: &mut &[u8],
    limits: &Limits,
) -> Result<Option<usize>, ModelRefused> {
    Ok(match (holds, wire) {
        (Extra(what), _) => return Err(ModelRefused::Extra(what)),
        (Int | Ints, 0) => varint(bytes).map(|_| 1),
        (Float | Floats, 5) => take(bytes, 4).map(|_| 1),
        (Bytes, 2) => delimited(bytes).map(|_| 1),
        (Holds::Message(inner), 2) => match delimited(bytes) {
            Some(content) => {
                walk(inner, content, limits)?;
                Some(1)
            }
            None => None,
        },
        (Floats, 2) => {
            delimited(bytes).and_then(|list| list.len().is_multiple_of(4).then_some(list.len() / 4))
        }
        (Ints, 2) => delimited(bytes).and_then(|mut list| {
            let mut count = 0;
            while !list.is_empty() {
                varint(&mut list)?;
                count += 1;
            }
            Some(count)
        }),
        _ => None,
    })
}

fn bound(
    message: &Message,
    field: u32,
    often: Often,
    count: usize,
    limits: &Limits,
) -> Result<(), ModelRefused> {
    let (max, what) = match often {
        Once if count > 1 => {
            return Err(ModelRefused::RepeatedField {
                message: message.name,
                field,
            });
        }
        Once => return Ok(()),
        Upto(max, what) => (max, what),
        Nodes(what) => (limits.nodes_max, what),
        Features(what) => (limits.features_max, what),
    };
    if count > max {
        return Err(ModelRefused::TooMany { what, max });
    }
    Ok(())
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(taken)
}

fn delimited<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(varint(bytes)?).ok()?;
    take(bytes, len)
}

/// At most ten bytes of seven bits each, 64 bits in all.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for at in 0..10 {
        let byte = take(bytes, 1)?[0];
        if at == 9 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
