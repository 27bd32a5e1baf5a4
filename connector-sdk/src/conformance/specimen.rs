//! A table of known contents, with every value that readers are known to get wrong.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{
    Array, ArrayRef, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, Field, Schema};

use crate::TableName;

use super::Aspect;

/// A table at the source and what must come out of it.
#[derive(Clone, Debug)]
pub struct Specimen {
    /// Its name at the source.
    pub table: TableName,
    /// Its rows. The first column is the key: not null, and different in each row. Rows may come in any order.
    ///
    /// Values are compared, and of types only their kind: what comes may be another integer, another text or another
    /// decimal type, a timestamp of another unit, or a dictionary of one, as long as it holds each value unchanged. A
    /// float never stands for a decimal or an integer, text for nothing else, and a timestamp without a zone not for one
    /// with a zone.
    ///
    /// Where a format cannot hold a value, change that value here and say so beside it ([`Specimen::map_text`]); do not
    /// leave the whole aspect out.
    pub expected: RecordBatch,
    /// What is special about which column.
    pub aspects: Vec<(Aspect, String)>,
    /// Aspects that [`Specimen::without`] took out: the source cannot have them, they were not forgotten.
    pub left_out: Vec<Aspect>,
}

/// Rows of the standard specimen.
const ROWS: usize = 6;

impl Specimen {
    /// The standard contents: the key `id` (32-bit integer, 1 to 6) and one column for each aspect, `columns`:
    ///
    /// | column | type | aspect |
    /// |---|---|---|
    /// | `amount` | decimal(20,4) | [`Aspect::Decimal`] |
    /// | `moment` | timestamp with zone, in UTC, microseconds | [`Aspect::TimestampZone`] |
    /// | `words` | text in UTF-8 | [`Aspect::TextUtf8`] |
    /// | `hanzi` | text kept in GBK | [`Aspect::TextGbk`] |
    /// | `remark` | text with nulls and empty texts | [`Aspect::NullEmpty`] |
    /// | `code` | CHAR(8) | [`Aspect::CharPadding`] |
    /// | `number` | 64-bit integer | [`Aspect::BigInteger`] |
    /// | `born` | date | [`Aspect::DateBefore1970`] |
    ///
    /// `moment` stays within 1970 to 2038, which is all that some sources have.
    pub fn standard(table: TableName) -> Specimen {
        let ids = Int32Array::from_iter_values(1..=ROWS as i32);
        let mut fields = vec![Field::new("id", DataType::Int32, false)];
        let mut columns: Vec<ArrayRef> = vec![Arc::new(ids)];
        let mut aspects = Vec::new();
        for (aspect, name, column) in standard_columns() {
            fields.push(Field::new(name, column.data_type().clone(), true));
            columns.push(column);
            aspects.push((aspect, name.to_owned()));
        }
        let expected = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
            .expect("all columns have six rows and the declared types");
        Specimen {
            table,
            expected,
            aspects,
            left_out: Vec::new(),
        }
    }

    /// Without the columns of an aspect that the source does not have.
    pub fn without(mut self, aspect: Aspect) -> Specimen {
        let gone = |name: &str| {
            let of = |(which, column): &(Aspect, String)| *which == aspect && column == name;
            self.aspects.iter().any(of)
        };
        let fields = self.expected.schema();
        let kept: Vec<usize> = (0..fields.fields().len())
            .filter(|at| !gone(fields.field(*at).name()))
            .collect();
        self.expected = self
            .expected
            .project(&kept)
            .expect("the places are those of its columns");
        self.aspects.retain(|(which, _)| *which != aspect);
        self.left_out.push(aspect);
        self
    }

    /// With other texts in a column, for a format that cannot hold some of them: `of` gives what stands in a text's
    /// place, `None` for a null. Nulls stay.
    ///
    /// # Panics
    /// There is no column of text with this name.
    pub fn map_text(mut self, column: &str, of: impl Fn(&str) -> Option<String>) -> Specimen {
        let schema = self.expected.schema();
        let place = schema.index_of(column);
        let place = place.expect("`map_text` is for a column of the specimen");
        let mut columns = self.expected.columns().to_vec();
        let texts = columns[place].as_string_opt::<i32>();
        let texts = texts.expect("`map_text` is for a column of text");
        let mapped: StringArray = texts.iter().map(|text| text.and_then(&of)).collect();
        columns[place] = Arc::new(mapped);
        self.expected = RecordBatch::try_new(schema, columns)
            .expect("texts have taken the place of as many texts");
        self
    }

    /// The rows as texts, `None` for null, as CSV files and SQL literals are written from: decimals and dates in ISO
    /// form, moments as `2024-02-29 15:59:59.123456` in UTC without a zone.
    pub fn texts(&self) -> Vec<Vec<Option<String>>> {
        let options = FormatOptions::new().with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.6f"));
        let columns = self.expected.columns().iter().map(|column| {
            let formatter = ArrayFormatter::try_new(column, &options)
                .expect("every type of a specimen can be shown");
            let texts = (0..column.len()).map(|row| {
                let text = || formatter.value(row).to_string();
                column.is_valid(row).then(text)
            });
            texts.collect::<Vec<_>>()
        });
        let columns: Vec<_> = columns.collect();
        let row = |row: usize| columns.iter().map(|column| column[row].clone()).collect();
        (0..self.expected.num_rows()).map(row).collect()
    }

    /// The rows as `(…), (…)` for an `INSERT … VALUES`, with standard SQL literals: every value but a number in single
    /// quotes, doubled inside. Sources that know escapes with a backslash need them off (`NO_BACKSLASH_ESCAPES`).
    pub fn sql_values(&self) -> String {
        let schema = self.expected.schema();
        let literal = |(at, text): (usize, Option<String>)| match text {
            None => "NULL".to_owned(),
            Some(text) if schema.field(at).data_type().is_numeric() => text,
            Some(text) => format!("'{}'", text.replace('\'', "''")),
        };
        let row = |texts: Vec<Option<String>>| {
            let literals: Vec<_> = texts.into_iter().enumerate().map(literal).collect();
            format!("({})", literals.join(", "))
        };
        let rows: Vec<_> = self.texts().into_iter().map(row).collect();
        rows.join(",\n")
    }
}

fn standard_columns() -> Vec<(Aspect, &'static str, ArrayRef)> {
    let texts =
        |texts: [Option<&str>; ROWS]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
    let amount = Decimal128Array::from(vec![
        // 16 digits before the point and 4 behind it: more than a float has.
        Some(12_345_678_901_234_567_891),
        Some(-12_345_678_901_234_567_891),
        Some(-1),
        Some(0),
        Some(1_000),
        None,
    ]);
    let moment = TimestampMicrosecondArray::from(vec![
        // 1970-01-01T00:00:01.000001Z, 2024-02-29T15:59:59.123456Z, one second before and at midnight in Beijing, and
        // the last that every source with 32-bit time has.
        Some(1_000_001),
        Some(1_709_222_399_123_456),
        Some(1_704_038_399_000_000),
        Some(1_704_038_400_000_000),
        Some(2_147_483_647_499_999),
        None,
    ]);
    let number = Int64Array::from(vec![
        Some(i64::MAX),
        Some(i64::MIN),
        Some((1 << 53) + 1),
        Some(-(1 << 53) - 1),
        Some(0),
        None,
    ]);
    // 1969-12-31, 1900-01-01, 1582-10-15 (the first Gregorian day), 2024-02-29, 9999-12-31.
    let born = Date32Array::from(vec![
        Some(-1),
        Some(-25_567),
        Some(-141_427),
        Some(19_782),
        Some(2_932_896),
        None,
    ]);
    vec![
        (
            Aspect::Decimal,
            "amount",
            Arc::new(amount.with_precision_and_scale(20, 4).expect("they fit")),
        ),
        (
            Aspect::TimestampZone,
            "moment",
            Arc::new(moment.with_timezone("UTC")),
        ),
        (
            Aspect::TextUtf8,
            "words",
            texts([
                Some("广西灵渠"),
                Some("O'Brien \"x\" \\ %_ ,;\tend"),
                Some("𠮷野家 😀"),
                Some("e\u{301} ≠ é"),
                Some(" leading and trailing "),
                None,
            ]),
        ),
        (
            Aspect::TextGbk,
            "hanzi",
            texts([
                Some("中华人民共和国"),
                // In GBK, not in GB 2312. The first character two lines on is D5 5C: its second byte is a backslash.
                Some("朱镕基"),
                Some("囧喆堃"),
                Some("誠\u{8a8d}"),
                Some("ＡＢＣ１２３"),
                None,
            ]),
        ),
        (
            Aspect::NullEmpty,
            "remark",
            texts([Some(""), None, Some(" "), Some("NULL"), Some("null"), None]),
        ),
        (
            Aspect::CharPadding,
            "code",
            texts([
                Some("A1"),
                Some("ABCDEFGH"),
                Some("B 2"),
                Some("A1x"),
                Some("b1"),
                None,
            ]),
        ),
        (Aspect::BigInteger, "number", Arc::new(number)),
        (Aspect::DateBefore1970, "born", Arc::new(born)),
    ]
}
