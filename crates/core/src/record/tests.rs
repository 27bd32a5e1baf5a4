use lingqu_tlog::Intl;
use proptest::prelude::*;

use super::*;

fn clear() -> Clear {
    Clear::default()
        .text(Field::Caller, "party_gx.bank")
        .text(Field::Grant, "grant_1")
        .number(Field::GrantVersion, 1)
        .number(Field::Units, 1)
        .bytes(Field::RequestTag, &[9; 16])
}

fn record() -> Record {
    let mut draft = Draft::new(Kind::Call);
    draft.call = CallId([3; 16]);
    draft.flags = flag::LAGGED;
    draft.body_root = Hash([5; 32]);
    draft.clear = clear();
    draft.at(
        StreamId::of::<Intl>("c.example/s/node_a/45/2026h2"),
        7,
        Timestamp(11),
    )
}

#[test]
fn a_record_round_trips() {
    let bytes = record().encode::<Intl>();
    assert_eq!(Record::decode::<Intl>(&bytes), Ok(record()));
}

#[test]
fn the_grant_reference_names_grant_and_version() {
    let with = |version| {
        let mut record = record();
        record.draft.clear = record.draft.clear.number(Field::GrantVersion, version);
        record.encode::<Intl>()[64..96].to_vec()
    };
    assert_ne!(with(1), with(2));
}

#[test]
fn a_callers_text_cannot_break_a_record() {
    let clear = Clear::default()
        .text(Field::Purpose, &"长\n".repeat(300))
        .text(Field::Scenario, "");
    let kept = clear.get_text(Field::Purpose).unwrap();
    assert!(kept.len() <= 256 && !kept.contains('\n'));
    assert_eq!(clear.get_text(Field::Scenario), None);
    assert_eq!(Clear::decode(clear.as_encoded()), Ok(clear));
}

#[test]
fn fields_out_of_order_twice_unknown_or_misshapen_are_refused() {
    let tlv = |tag: u16, value: &[u8]| {
        let mut bytes = tag.to_be_bytes().to_vec();
        bytes.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(value);
        bytes
    };
    let caller = tlv(1, b"party_a");
    assert_eq!(
        Clear::decode(&[tlv(3, b"x"), caller.clone()].concat()),
        Err(FieldRefused::Order)
    );
    assert_eq!(
        Clear::decode(&[caller.clone(), caller.clone()].concat()),
        Err(FieldRefused::Order)
    );
    assert_eq!(
        Clear::decode(&tlv(999, b"x")),
        Err(FieldRefused::Unknown(999))
    );
    assert_eq!(
        Clear::decode(&tlv(1, b"")),
        Err(FieldRefused::Shape("caller"))
    );
    assert_eq!(
        Clear::decode(&tlv(1, b"a\nb")),
        Err(FieldRefused::Shape("caller"))
    );
    assert_eq!(
        Clear::decode(&tlv(17, b"1234567")),
        Err(FieldRefused::Shape("units"))
    );
    assert_eq!(
        Clear::decode(&caller[..caller.len() - 1]),
        Err(FieldRefused::Truncated)
    );
}

/// The table in the documentation is the table in the code.
#[test]
fn the_documented_visibility_is_the_real_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/records.md");
    let page = std::fs::read_to_string(path).unwrap();
    assert!(
        page.contains(&visibility_table()),
        "docs/records.md must contain:\n{}",
        visibility_table()
    );
}

proptest! {
    /// One encoding per record: whatever decodes, encodes to the same bytes.
    #[test]
    fn nothing_else_decodes_to_a_record(position in 0usize..300, bit in 0u8..8) {
        let mut bytes = record().encode::<Intl>();
        let position = position % bytes.len();
        bytes[position] ^= 1 << bit;
        if let Ok(decoded) = Record::decode::<Intl>(&bytes) {
            prop_assert_eq!(decoded.encode::<Intl>(), bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut framed = record().encode::<Intl>()[..160].to_vec();
        framed.extend_from_slice(&bytes);
        let _ = Record::decode::<Intl>(&framed);
        let _ = Record::decode::<Intl>(&bytes);
    }
}

#[test]
fn a_record_that_gets_its_place_later_has_the_bytes_of_one_that_had_it_before() {
    let record = record();
    let mut unplaced = Unplaced::new::<Intl>(record.draft.clone(), record.stream);
    assert_eq!(unplaced.len(), record.encode::<Intl>().len());
    for (index, time) in [(9, Timestamp(9)), (record.index, record.time)] {
        let placed = record.draft.clone().at(record.stream, index, time);
        assert_eq!(unplaced.at(index, time), placed.encode::<Intl>());
    }
}

#[test]
fn a_record_read_in_place_says_what_the_decoded_one_says() {
    let record = record();
    let bytes = record.encode::<Intl>();
    let view = RecordView::read::<Intl>(&bytes).unwrap();
    assert_eq!(view.to_record(), record);
    assert_eq!((view.kind(), view.index()), (Kind::Call, 7));
    assert_eq!((view.stream(), view.time()), (record.stream, record.time));
    assert_eq!(view.call(), record.draft.call);
    for field in Field::ALL.iter().copied() {
        let clear = &record.draft.clear;
        assert_eq!(view.bytes(field), clear.get_bytes(field), "{field:?}");
        assert_eq!(view.text(field), clear.get_text(field), "{field:?}");
        assert_eq!(view.number(field), clear.get_number(field), "{field:?}");
    }
}

#[test]
fn the_fields_stand_in_the_order_of_their_numbers() {
    // The search for a field by its number depends on it.
    let numbers: Vec<u16> = Field::ALL.iter().map(|field| *field as u16).collect();
    assert!(numbers.is_sorted_by(|before, after| before < after));
}

#[test]
fn the_order_in_which_fields_are_added_does_not_matter_and_the_last_value_of_one_counts() {
    let add: [fn(Clear) -> Clear; 4] = [
        |clear| clear.text(Field::Grant, "grant_1"),
        |clear| clear.number(Field::Units, 7),
        |clear| clear.text(Field::Caller, "party_a"),
        |clear| clear.bytes(Field::RequestTag, &[1; 16]),
    ];
    let wanted = add.iter().fold(Clear::default(), |clear, add| add(clear));
    assert_eq!(Clear::decode(wanted.as_encoded()), Ok(wanted.clone()));
    for first in 0..4 {
        for second in 0..4 {
            let mut order = vec![first, second];
            order.extend(0..4);
            let clear = order
                .iter()
                .fold(Clear::default(), |clear, at| add[*at](clear));
            assert_eq!(clear, wanted, "{order:?}");
        }
    }
    let longer = wanted
        .clone()
        .text(Field::Grant, "grant_with_a_longer_name");
    assert_eq!(
        longer.get_text(Field::Grant),
        Some("grant_with_a_longer_name")
    );
    assert_eq!(longer.get_number(Field::Units), Some(7));
    assert_eq!(longer.text(Field::Grant, "grant_1"), wanted);
    let named: Vec<Field> = wanted.fields().collect();
    assert_eq!(
        named,
        [Field::Caller, Field::Grant, Field::Units, Field::RequestTag]
    );
}

#[test]
fn a_reader_of_many_records_checks_the_grant_reference_of_each() {
    let of = |grant: String, version| {
        let mut record = record();
        let clear = record.draft.clear.text(Field::Grant, &grant);
        record.draft.clear = clear.number(Field::GrantVersion, version);
        record.encode::<Intl>()
    };
    // More grants than are remembered, and each again after it was forgotten; one without a grant between.
    let mut grants: Vec<Vec<u8>> = (0..20_u64)
        .map(|number| of(format!("grant_{}", number / 2), number))
        .collect();
    grants.push(
        Draft::new(Kind::NodeStart)
            .at(record().stream, 8, Timestamp(12))
            .encode::<Intl>(),
    );
    let mut spoiled = grants.clone();
    // The reference of another grant, or of another version of the same one: known to the reader by then.
    let reference = |bytes: &[u8]| bytes[64..96].to_vec();
    for (at, bytes) in spoiled.iter_mut().enumerate() {
        bytes[64..96].copy_from_slice(&reference(&grants[(at + 1) % 20]));
    }
    let mut reader = RecordReader::<Intl>::new();
    for (bytes, spoiled) in grants
        .iter()
        .zip(&spoiled)
        .chain(grants.iter().zip(&spoiled).rev())
    {
        let view = reader.read(bytes).unwrap();
        let alone = RecordView::read::<Intl>(bytes).unwrap();
        assert_eq!(view.to_record(), alone.to_record());
        for _ in 0..2 {
            let refused = reader.read(spoiled).err();
            assert_eq!(refused, Some(RecordMalformed::Unknown("grant reference")));
        }
    }
}
