//! The register as Parquet: a part at a time, so that the memory taken does not grow with the register.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, Date32Builder, Int16Builder, Int32Builder, StringBuilder,
};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::industries::INDUSTRIES;
use super::persons::{Person, Persons, age_band};
use super::social_security::Written;

/// Persons in a part.
const PART: usize = 8_192;

/// Writes the dimension table of industries.
pub(super) fn write_industries(path: &Path) -> io::Result<()> {
    let text = |of: fn(&super::industries::Industry) -> &'static str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(INDUSTRIES.iter().map(of)))
    };
    let columns = [
        ("code", text(|industry| industry.code)),
        ("name_zh", text(|industry| industry.name_zh)),
        ("name_en", text(|industry| industry.name_en)),
    ];
    write_small(path, columns)
}

/// Writes a small table of texts.
pub(super) fn write_small<const N: usize>(
    path: &Path,
    columns: [(&'static str, ArrayRef); N],
) -> io::Result<()> {
    let batch = RecordBatch::try_from_iter(columns).map_err(io::Error::other)?;
    let mut writer = writer(path, batch.schema(), &[])?;
    writer.write(&batch).map_err(io::Error::other)?;
    close(writer)
}

/// Writes persons and their records into two files.
pub(super) fn write_persons(
    mut persons: Persons,
    person_path: &Path,
    record_path: &Path,
    progress: &mut dyn FnMut(u32),
) -> io::Result<Written> {
    let mut written = Written::default();
    let mut tables = (PersonTable::new(), RecordTable::new());
    let mut person_file = writer(person_path, tables.0.schema.clone(), &["id_no", "name"])?;
    let mut record_file = writer(record_path, tables.1.schema.clone(), &["id_no"])?;
    loop {
        let mut part = 0;
        for person in persons.by_ref().take(PART) {
            tables.0.append(&person);
            written.records += tables.1.append(&person);
            part += 1;
        }
        if part == 0 {
            break;
        }
        person_file
            .write(&tables.0.part()?)
            .map_err(io::Error::other)?;
        record_file
            .write(&tables.1.part()?)
            .map_err(io::Error::other)?;
        written.persons += part;
        progress(written.persons);
    }
    close(person_file)?;
    close(record_file)?;
    Ok(written)
}

fn writer(path: &Path, schema: SchemaRef, distinct: &[&str]) -> io::Result<ArrowWriter<File>> {
    let mut properties = WriterProperties::builder()
        // The library's version is not part of the data.
        .set_created_by("lingqu demo".to_owned())
        .set_compression(Compression::UNCOMPRESSED)
        .set_statistics_enabled(EnabledStatistics::None);
    // A dictionary of values that hardly repeat is work for nothing.
    for column in distinct {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(*column), false);
    }
    let file = File::create(path)?;
    ArrowWriter::try_new(file, schema, Some(properties.build())).map_err(io::Error::other)
}

fn close(writer: ArrowWriter<File>) -> io::Result<()> {
    writer.close().map(|_| ()).map_err(io::Error::other)
}

fn schema(fields: &[(&str, DataType, bool)]) -> SchemaRef {
    let fields: Vec<Field> = fields
        .iter()
        .map(|(name, data_type, nullable)| Field::new(*name, data_type.clone(), *nullable))
        .collect();
    Arc::new(Schema::new(fields))
}

/// `insured_person`: one row a person.
struct PersonTable {
    schema: SchemaRef,
    id_no: StringBuilder,
    name: StringBuilder,
    sex: StringBuilder,
    birth_date: Date32Builder,
    age: Int16Builder,
    age_band: StringBuilder,
    region: StringBuilder,
    industry: StringBuilder,
    employer: StringBuilder,
    contribution_months: Int16Builder,
    employers: Int16Builder,
    longest_gap_months: Int16Builder,
    average_base: Int32Builder,
}

impl PersonTable {
    fn new() -> PersonTable {
        PersonTable {
            schema: schema(&[
                ("id_no", DataType::Utf8, false),
                ("name", DataType::Utf8, false),
                ("sex", DataType::Utf8, false),
                ("birth_date", DataType::Date32, false),
                ("age", DataType::Int16, false),
                ("age_band", DataType::Utf8, false),
                ("region", DataType::Utf8, false),
                ("industry", DataType::Utf8, true),
                ("employer", DataType::Utf8, true),
                ("contribution_months", DataType::Int16, false),
                ("employers", DataType::Int16, false),
                ("longest_gap_months", DataType::Int16, false),
                ("average_base", DataType::Int32, true),
            ]),
            id_no: StringBuilder::new(),
            name: StringBuilder::new(),
            sex: StringBuilder::new(),
            birth_date: Date32Builder::new(),
            age: Int16Builder::new(),
            age_band: StringBuilder::new(),
            region: StringBuilder::new(),
            industry: StringBuilder::new(),
            employer: StringBuilder::new(),
            contribution_months: Int16Builder::new(),
            employers: Int16Builder::new(),
            longest_gap_months: Int16Builder::new(),
            average_base: Int32Builder::new(),
        }
    }

    fn append(&mut self, person: &Person) {
        let standing = person.standing();
        let last = person.records.last();
        let age = person.age();
        self.id_no.append_value(&person.id_no);
        self.name.append_value(&person.name);
        self.sex.append_value(person.sex.as_str());
        self.birth_date.append_value(person.birth.days());
        self.age.append_value(small(age.unsigned_abs()));
        self.age_band.append_value(age_band(age));
        self.region.append_value(person.region);
        self.industry
            .append_option(last.map(|record| INDUSTRIES[record.industry].code));
        self.employer
            .append_option(last.map(|record| record.employer.as_str()));
        self.contribution_months
            .append_value(small(standing.contribution_months));
        self.employers.append_value(small(standing.employers));
        self.longest_gap_months
            .append_value(small(standing.longest_gap_months));
        self.average_base
            .append_option(standing.average_base.map(yuan));
    }

    fn part(&mut self) -> io::Result<RecordBatch> {
        let columns: [&mut dyn ArrayBuilder; 13] = [
            &mut self.id_no,
            &mut self.name,
            &mut self.sex,
            &mut self.birth_date,
            &mut self.age,
            &mut self.age_band,
            &mut self.region,
            &mut self.industry,
            &mut self.employer,
            &mut self.contribution_months,
            &mut self.employers,
            &mut self.longest_gap_months,
            &mut self.average_base,
        ];
        finish(&self.schema, columns)
    }
}

/// `contribution_record`: one row for each employer's contributions without a gap.
struct RecordTable {
    schema: SchemaRef,
    id_no: StringBuilder,
    employer: StringBuilder,
    industry: StringBuilder,
    first_month: Int32Builder,
    last_month: Int32Builder,
    contribution_base: Int32Builder,
}

impl RecordTable {
    fn new() -> RecordTable {
        RecordTable {
            schema: schema(&[
                ("id_no", DataType::Utf8, false),
                ("employer", DataType::Utf8, false),
                ("industry", DataType::Utf8, false),
                ("first_month", DataType::Int32, false),
                ("last_month", DataType::Int32, false),
                ("contribution_base", DataType::Int32, false),
            ]),
            id_no: StringBuilder::new(),
            employer: StringBuilder::new(),
            industry: StringBuilder::new(),
            first_month: Int32Builder::new(),
            last_month: Int32Builder::new(),
            contribution_base: Int32Builder::new(),
        }
    }

    /// How many rows the person has.
    fn append(&mut self, person: &Person) -> u32 {
        for record in &person.records {
            self.id_no.append_value(&person.id_no);
            self.employer.append_value(&record.employer);
            self.industry.append_value(INDUSTRIES[record.industry].code);
            self.first_month.append_value(record.first.number());
            self.last_month.append_value(record.last.number());
            self.contribution_base.append_value(yuan(record.base));
        }
        u32::try_from(person.records.len()).expect("there are fewer than the months of the history")
    }

    fn part(&mut self) -> io::Result<RecordBatch> {
        let columns: [&mut dyn ArrayBuilder; 6] = [
            &mut self.id_no,
            &mut self.employer,
            &mut self.industry,
            &mut self.first_month,
            &mut self.last_month,
            &mut self.contribution_base,
        ];
        finish(&self.schema, columns)
    }
}

fn finish<const N: usize>(
    schema: &SchemaRef,
    columns: [&mut dyn ArrayBuilder; N],
) -> io::Result<RecordBatch> {
    let arrays = columns.into_iter().map(|column| column.finish()).collect();
    RecordBatch::try_new(schema.clone(), arrays).map_err(io::Error::other)
}

fn small(number: u32) -> i16 {
    i16::try_from(number).expect("ages and months are below a hundred")
}

fn yuan(base: u32) -> i32 {
    i32::try_from(base).expect("bases have an upper bound")
}
