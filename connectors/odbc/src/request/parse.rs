//! From tokens to a [`Select`].

use super::token::{Kind, Token, tokens};
use super::{
    BYTES_MAX, Comparison, ITEMS_MAX, Literal, Moment, Number, Predicate, RequestRefused, Select,
    Test,
};
use crate::types::is_name;

/// The whole text as one request.
pub(super) fn select(sql: &str) -> Result<Select, RequestRefused> {
    if sql.len() > BYTES_MAX {
        return Err(RequestRefused::TooLong);
    }
    let tokens = tokens(sql)?;
    let mut parser = Parser {
        tokens: &tokens,
        end: sql.len(),
    };
    parser.keyword("SELECT")?;
    let columns = parser.list(",", ITEMS_MAX, Parser::name)?;
    parser.keyword("FROM")?;
    let table = parser.list(".", 3, Parser::name)?;
    let predicates = match parser.try_keyword("WHERE") {
        true => parser.conjunction()?,
        false => Vec::new(),
    };
    let limit = match parser.try_keyword("LIMIT") {
        true => Some(parser.limit()?),
        false => None,
    };
    if !parser.tokens.is_empty() {
        return Err(parser.refused());
    }
    let mut seen = std::collections::HashSet::new();
    if !columns.iter().all(|column| seen.insert(column)) {
        return Err(RequestRefused::ColumnTwice);
    }
    Ok(Select {
        columns,
        table,
        predicates,
        limit,
    })
}

struct Parser<'t, 's> {
    /// What is left.
    tokens: &'t [Token<'s>],
    /// Where the text ends.
    end: usize,
}

impl Parser<'_, '_> {
    /// The text is wrong from the next token on.
    fn refused(&self) -> RequestRefused {
        RequestRefused::Form(self.tokens.first().map_or(self.end, |token| token.at))
    }

    fn try_keyword(&mut self, keyword: &str) -> bool {
        let found = matches!(self.tokens.first(), Some(Token { kind: Kind::Word(word), .. })
            if word.eq_ignore_ascii_case(keyword));
        self.skip_if(found)
    }

    fn keyword(&mut self, keyword: &str) -> Result<(), RequestRefused> {
        let found = self.try_keyword(keyword);
        found.then_some(()).ok_or_else(|| self.refused())
    }

    fn try_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.tokens.first(), Some(Token { kind: Kind::Sign(found), .. })
            if *found == sign);
        self.skip_if(found)
    }

    fn sign(&mut self, sign: &str) -> Result<(), RequestRefused> {
        let found = self.try_sign(sign);
        found.then_some(()).ok_or_else(|| self.refused())
    }

    fn skip_if(&mut self, found: bool) -> bool {
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    /// At least one item, at most `items_max`.
    fn list<T>(
        &mut self,
        separator: &str,
        items_max: usize,
        item: impl Fn(&mut Self) -> Result<T, RequestRefused>,
    ) -> Result<Vec<T>, RequestRefused> {
        let mut items = vec![item(self)?];
        while self.try_sign(separator) {
            if items.len() == items_max {
                return Err(RequestRefused::TooLong);
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn name(&mut self) -> Result<String, RequestRefused> {
        let Some(Token {
            kind: Kind::Name(name),
            ..
        }) = self.tokens.first()
        else {
            return Err(self.refused());
        };
        if !is_name(name) {
            return Err(RequestRefused::Name);
        }
        let name = name.clone();
        self.skip_if(true);
        Ok(name)
    }

    fn conjunction(&mut self) -> Result<Vec<Predicate>, RequestRefused> {
        let mut predicates = vec![self.predicate()?];
        while self.try_keyword("AND") {
            if predicates.len() == ITEMS_MAX {
                return Err(RequestRefused::TooLong);
            }
            predicates.push(self.predicate()?);
        }
        Ok(predicates)
    }

    fn predicate(&mut self) -> Result<Predicate, RequestRefused> {
        let column = self.name()?;
        let test = if self.try_keyword("IS") {
            let negated = self.try_keyword("NOT");
            self.keyword("NULL")?;
            Test::IsNull { negated }
        } else if self.try_keyword("NOT") {
            self.keyword("IN")?;
            self.values(true)?
        } else if self.try_keyword("IN") {
            self.values(false)?
        } else {
            Test::Compare(self.comparison()?, self.literal()?)
        };
        Ok(Predicate { column, test })
    }

    fn values(&mut self, negated: bool) -> Result<Test, RequestRefused> {
        self.sign("(")?;
        let literals = self.list(",", ITEMS_MAX, Parser::literal)?;
        self.sign(")")?;
        Ok(Test::In { negated, literals })
    }

    fn comparison(&mut self) -> Result<Comparison, RequestRefused> {
        let comparisons = [
            ("=", Comparison::Equal),
            (">", Comparison::Greater),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            ("<=", Comparison::LessOrEqual),
            ("<>", Comparison::NotEqual),
        ];
        for (sign, comparison) in comparisons {
            if self.try_sign(sign) {
                return Ok(comparison);
            }
        }
        Err(self.refused())
    }

    fn literal(&mut self) -> Result<Literal, RequestRefused> {
        let refused = self.refused();
        if self.try_keyword("DATE") {
            let moment = self.moment().filter(|moment| moment.0.len() == 10);
            return moment.map(Literal::Date).ok_or(refused);
        }
        if self.try_keyword("TIMESTAMP") {
            let moment = self.moment().filter(|moment| moment.0.len() > 10);
            return moment.map(Literal::Timestamp).ok_or(refused);
        }
        let number = self.number().ok_or(refused)?;
        Ok(Literal::Number(number))
    }

    fn moment(&mut self) -> Option<Moment> {
        let Some(Kind::Quoted(text)) = self.tokens.first().map(|token| &token.kind) else {
            return None;
        };
        let moment = Moment::try_from((*text).to_owned()).ok();
        self.skip_if(true);
        moment
    }

    fn number(&mut self) -> Option<Number> {
        let Some(Kind::Number(text)) = self.tokens.first().map(|token| &token.kind) else {
            return None;
        };
        let number = Number::try_from((*text).to_owned()).ok();
        self.skip_if(true);
        number
    }

    fn limit(&mut self) -> Result<u64, RequestRefused> {
        let refused = self.refused();
        let number = self.number().ok_or(refused)?;
        number.text().parse().map_err(|_| refused)
    }
}
