//! The only SQL that a node reads: `SELECT * FROM unit.product(arguments)`, the same after `EXPLAIN`, and its two tables
//! of one's own.
//!
//! Nothing here is planned or executed as SQL. The text is parsed, the tree is taken apart with every field named, and
//! whatever is not exactly the form is refused: a clause that a newer parser learns to read does not compile here, and
//! none can be dropped silently. What remains is a product's name and values in order.

use std::fmt;

use datafusion::sql::sqlparser::ast::{
    DescribeAlias, Expr, FunctionArg, FunctionArgExpr, GroupByExpr, ObjectName, ObjectNamePart,
    Query, Select, SelectFlavor, SelectItem, SetExpr, Statement as Parsed, TableFactor,
    TableFunctionArgs, TableWithJoins, UnaryOperator, Value, WildcardAdditionalOptions,
};
use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use lingqu_core::ProductId;
use lingqu_proto::ClaimValue;

/// Longest statement, in bytes; default of `limits.sql_bytes_max`.
pub const SQL_BYTES_MAX: usize = 16_384;
/// Most arguments of one statement, as of a call on any other way in.
pub const ARGUMENTS_MAX: usize = 32;
/// Longest text argument, in bytes, as on any other way in.
const TEXT_LEN_MAX: usize = 1_024;
/// How deep the parser may go. The form needs about ten levels.
const DEPTH_MAX: usize = 24;
/// Most tokens, apart from blanks and comments: the form with 32 negative arguments has 105.
const TOKENS_MAX: usize = 128;
/// Most words. The form has four, or five; a few more keep the refusal of what people try first to the point.
const WORDS_MAX: usize = 8;
/// The schema of the tables that each caller has of its own.
pub const OWN_SCHEMA: &str = "lingqu";

/// A statement of the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// A product is called.
    Call(ProductCallForm),
    /// `lingqu.products`: what this caller may use.
    Products,
    /// `lingqu.receipts`: this caller's recent receipts.
    Receipts,
}

/// `unit.product(arguments)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductCallForm {
    /// The product.
    pub product: ProductId,
    /// Its arguments, in order.
    pub arguments: Vec<Argument>,
    /// How many values a caller has to bind.
    pub placeholders: usize,
    /// Whether only what the call would answer and cost is asked for.
    pub explains: bool,
}

/// One argument.
#[derive(Clone, PartialEq, Eq)]
pub enum Argument {
    /// The value that is bound at this place, counted from 0.
    Bound(usize),
    /// A value in the text.
    Literal(ClaimValue),
}

impl fmt::Debug for Argument {
    /// A literal is somebody's data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Argument::Bound(place) => write!(f, "Bound({place})"),
            Argument::Literal(value) => write!(f, "Literal({value:?})"),
        }
    }
}

/// Why a statement is refused. A constant: no part of a statement leaves in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the statement {0}")]
pub struct FormRefused(pub &'static str);

impl Statement {
    /// Reads a statement of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// [`FormRefused`] for whatever is not exactly the form.
    pub fn parse(text: &str, bytes_max: usize) -> Result<Statement, FormRefused> {
        if text.len() > bytes_max {
            return Err(FormRefused("is too long"));
        }
        // The words of tokenizer and parser quote the statement; ours do not.
        let unread = FormRefused("cannot be read");
        let tokens = Tokenizer::new(&Narrow, text)
            .tokenize()
            .map_err(|_| unread)?;
        check_tokens(&tokens)?;
        let mut parser = Parser::new(&Narrow)
            .with_recursion_limit(DEPTH_MAX)
            .with_tokens(tokens);
        let parsed = parser.parse_statements().map_err(|_| unread)?;
        // The parser takes the word END for the end of everything, and drops what follows.
        if parser.peek_token().token != Token::EOF {
            return Err(unread);
        }
        match <[Parsed; 1]>::try_from(parsed) {
            Ok([Parsed::Query(query)]) => of_query(*query),
            Ok(
                [
                    Parsed::Explain {
                        describe_alias: DescribeAlias::Explain,
                        analyze: false,
                        verbose: false,
                        query_plan: false,
                        estimate: false,
                        statement,
                        format: None,
                        options: None,
                    },
                ],
            ) => of_explained(*statement),
            Ok(_) => Err(FormRefused("is not a `SELECT`")),
            Err(_) => Err(FormRefused("is not one statement")),
        }
    }

    /// How many values a caller has to bind.
    pub fn placeholders(&self) -> usize {
        match self {
            Statement::Call(call) => call.placeholders,
            Statement::Products | Statement::Receipts => 0,
        }
    }
}

impl ProductCallForm {
    /// The arguments' values in order, each placeholder replaced by what is bound at its place; none if there are not
    /// exactly as many bound values as placeholders.
    pub fn values(&self, bound: &[ClaimValue]) -> Option<Vec<ClaimValue>> {
        if bound.len() != self.placeholders {
            return None;
        }
        let value = |argument: &Argument| match argument {
            Argument::Bound(place) => bound.get(*place).cloned(),
            Argument::Literal(value) => Some(value.clone()),
        };
        self.arguments.iter().map(value).collect()
    }
}

/// The least dialect: identifiers are ASCII or in double quotes, and no extension of any product is switched on.
#[derive(Debug)]
struct Narrow;

impl Dialect for Narrow {
    fn is_identifier_start(&self, character: char) -> bool {
        character.is_ascii_alphabetic() || character == '_'
    }

    fn is_identifier_part(&self, character: char) -> bool {
        character.is_ascii_alphanumeric() || character == '_'
    }

    fn is_delimited_identifier_start(&self, character: char) -> bool {
        character == '"'
    }
}

/// Whether these tokens could be the form at all: it has one parenthesis and four words. A parser of all SQL goes back
/// and tries other readings in many places, and has had faults there; what the form does not need never reaches it.
fn check_tokens(tokens: &[Token]) -> Result<(), FormRefused> {
    let (mut words, mut parentheses, mut all) = (0, 0, 0);
    for token in tokens {
        match token {
            Token::Whitespace(_) => continue,
            Token::Word(_) => words += 1,
            Token::LParen => parentheses += 1,
            Token::Comma
            | Token::Minus
            | Token::Mul
            | Token::Number(_, _)
            | Token::Period
            | Token::Placeholder(_)
            | Token::RParen
            | Token::SemiColon
            | Token::SingleQuotedString(_) => {}
            // A sign that has no place in the form; the list of those that have is complete.
            _ => return Err(CLAUSE),
        }
        all += 1;
    }
    if words > WORDS_MAX || parentheses > 1 || all > TOKENS_MAX {
        return Err(CLAUSE);
    }
    Ok(())
}

/// What a call would answer is explained, in our own words and without the engine's; a table of one's own needs none.
fn of_explained(statement: Parsed) -> Result<Statement, FormRefused> {
    let Parsed::Query(query) = statement else {
        return Err(FormRefused("is not a `SELECT`"));
    };
    match of_query(*query)? {
        Statement::Call(call) => Ok(Statement::Call(ProductCallForm {
            explains: true,
            ..call
        })),
        Statement::Products | Statement::Receipts => {
            Err(FormRefused("explains what is not a product"))
        }
    }
}

/// What every clause beside `SELECT * FROM …` is refused with.
const CLAUSE: FormRefused = FormRefused("has more than `SELECT * FROM unit.product(arguments)`");

fn of_query(query: Query) -> Result<Statement, FormRefused> {
    let Query {
        with: None,
        body,
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks,
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators,
    } = query
    else {
        return Err(CLAUSE);
    };
    match *body {
        SetExpr::Select(select) if locks.is_empty() && pipe_operators.is_empty() => {
            of_select(*select)
        }
        _ => Err(CLAUSE),
    }
}

fn of_select(select: Select) -> Result<Statement, FormRefused> {
    let Select {
        select_token: _,
        optimizer_hints,
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection,
        exclude: None,
        into: None,
        from,
        lateral_views,
        prewhere: None,
        selection: None,
        connect_by,
        group_by,
        cluster_by,
        distribute_by,
        sort_by,
        having: None,
        named_window,
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    } = select
    else {
        return Err(CLAUSE);
    };
    let ungrouped = match group_by {
        GroupByExpr::Expressions(by, modifiers) => by.is_empty() && modifiers.is_empty(),
        GroupByExpr::All(_) => false,
    };
    let plain = ungrouped
        && optimizer_hints.is_empty()
        && lateral_views.is_empty()
        && connect_by.is_empty()
        && cluster_by.is_empty()
        && distribute_by.is_empty()
        && sort_by.is_empty()
        && named_window.is_empty()
        && is_everything(&projection);
    let table = <[TableWithJoins; 1]>::try_from(from);
    match table {
        Ok([TableWithJoins { relation, joins }]) if plain && joins.is_empty() => {
            of_relation(relation)
        }
        _ => Err(CLAUSE),
    }
}

/// `*` alone.
fn is_everything(projection: &[SelectItem]) -> bool {
    matches!(
        projection,
        [SelectItem::Wildcard(WildcardAdditionalOptions {
            wildcard_token: _,
            opt_ilike: None,
            opt_exclude: None,
            opt_except: None,
            opt_replace: None,
            opt_rename: None,
            opt_alias: None,
        })]
    )
}

fn of_relation(relation: TableFactor) -> Result<Statement, FormRefused> {
    let TableFactor::Table {
        name,
        alias: None,
        args,
        with_hints,
        version: None,
        with_ordinality: false,
        partitions,
        json_path: None,
        sample: None,
        index_hints,
    } = relation
    else {
        return Err(CLAUSE);
    };
    if !(with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty()) {
        return Err(CLAUSE);
    }
    let (schema, table) = two_words(&name)?;
    match args {
        None => own_table(&schema, &table),
        Some(TableFunctionArgs {
            args,
            settings: None,
        }) => {
            let product = format!("{schema}.{table}")
                .parse()
                .map_err(|_| FormRefused("does not name a product as `unit.product`"))?;
            call(product, &args).map(Statement::Call)
        }
        Some(TableFunctionArgs {
            args: _,
            settings: Some(_),
        }) => Err(CLAUSE),
    }
}

fn own_table(schema: &str, table: &str) -> Result<Statement, FormRefused> {
    match (schema, table) {
        (OWN_SCHEMA, "products") => Ok(Statement::Products),
        (OWN_SCHEMA, "receipts") => Ok(Statement::Receipts),
        _ => Err(FormRefused("names a product without its arguments")),
    }
}

/// Exactly two plain names. They are compared as they are written, without folding of case.
fn two_words(name: &ObjectName) -> Result<(String, String), FormRefused> {
    let ObjectName(parts) = name;
    match parts.as_slice() {
        [
            ObjectNamePart::Identifier(schema),
            ObjectNamePart::Identifier(table),
        ] => Ok((schema.value.clone(), table.value.clone())),
        _ => Err(FormRefused("does not name a product as `unit.product`")),
    }
}

fn call(product: ProductId, args: &[FunctionArg]) -> Result<ProductCallForm, FormRefused> {
    if args.len() > ARGUMENTS_MAX {
        return Err(FormRefused("has more than 32 arguments"));
    }
    let mut numbering = Numbering::default();
    let arguments = args
        .iter()
        .map(|arg| argument(arg, &mut numbering))
        .collect::<Result<_, _>>()?;
    Ok(ProductCallForm {
        product,
        arguments,
        placeholders: numbering.count()?,
        explains: false,
    })
}

fn argument(arg: &FunctionArg, numbering: &mut Numbering) -> Result<Argument, FormRefused> {
    let refused = FormRefused("has an argument that is no literal and no placeholder");
    let expression = match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => expression,
        FunctionArg::Unnamed(
            FunctionArgExpr::QualifiedWildcard(_)
            | FunctionArgExpr::Wildcard
            | FunctionArgExpr::WildcardWithOptions(_),
        )
        | FunctionArg::Named { .. }
        | FunctionArg::ExprNamed { .. } => return Err(refused),
    };
    match expression {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, false) => integer(digits).map(Argument::Literal),
            Value::SingleQuotedString(text) if text.len() <= TEXT_LEN_MAX => {
                Ok(Argument::Literal(ClaimValue::Text(text.clone())))
            }
            Value::SingleQuotedString(_) => Err(FormRefused("has a text of more than 1024 bytes")),
            Value::Null => Err(FormRefused("has a `NULL`, which claims nothing")),
            Value::Placeholder(mark) => numbering.place(mark).map(Argument::Bound),
            // Every other literal is written in an extension of some product; the form has two kinds.
            _ => Err(refused),
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match expr.as_ref() {
            Expr::Value(value) => match &value.value {
                Value::Number(digits, false) => {
                    integer(&format!("-{digits}")).map(Argument::Literal)
                }
                _ => Err(refused),
            },
            _ => Err(refused),
        },
        _ => Err(refused),
    }
}

fn integer(digits: &str) -> Result<ClaimValue, FormRefused> {
    digits
        .parse()
        .map(ClaimValue::Integer)
        .map_err(|_| FormRefused("has a number that is no integer of 64 bits"))
}

/// Gives placeholders their places: `?` in the order of the text, `$1` as it says; never both.
#[derive(Debug, Default)]
struct Numbering {
    marks: usize,
    numbered: Vec<usize>,
}

impl Numbering {
    fn place(&mut self, mark: &str) -> Result<usize, FormRefused> {
        if mark == "?" {
            self.marks += 1;
            return Ok(self.marks - 1);
        }
        let number = mark
            .strip_prefix('$')
            .filter(|digits| !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|digits| digits.parse::<usize>().ok())
            .filter(|number| (1..=ARGUMENTS_MAX).contains(number))
            .ok_or(FormRefused("has a placeholder other than `?` and `$1`"))?;
        self.numbered.push(number);
        Ok(number - 1)
    }

    /// How many values are to be bound; every number up to the highest must occur.
    fn count(self) -> Result<usize, FormRefused> {
        let highest = self.numbered.iter().copied().max().unwrap_or(0);
        let gapless = (1..=highest).all(|number| self.numbered.contains(&number));
        match (self.marks, highest) {
            (marks, 0) => Ok(marks),
            (0, highest) if gapless => Ok(highest),
            (0, _) => Err(FormRefused("leaves out a placeholder's number")),
            (_, _) => Err(FormRefused("mixes `?` with numbered placeholders")),
        }
    }
}

#[cfg(test)]
mod tests;
