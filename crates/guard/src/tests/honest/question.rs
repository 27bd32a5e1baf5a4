//! The questions, one a line, taken apart by reading their text: no parser of ours has a part in judging ours.

/// The table of questions.
const QUESTIONS: &str = include_str!("../../../tests/honest.txt");

/// What begins a window.
const OVER: &str = " OVER (";

/// An aggregate of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Average,
    Count,
    Entities,
    Sum,
}

/// One aggregate as it stands in the text, for example `avg(distance)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    pub(crate) asked: Asked,
    pub(crate) text: String,
}

impl Figure {
    /// What stands between its parentheses.
    pub(crate) fn argument(&self) -> &str {
        let inside = self.text.split_once('(').expect("an aggregate").1;
        inside.strip_suffix(')').expect("an aggregate")
    }

    /// Another aggregate of the same column.
    pub(crate) fn instead(&self, name: &str) -> String {
        format!("{name}({})", self.argument())
    }
}

/// An output column.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) text: String,
    pub(crate) name: String,
}

/// A question.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// Which register it is asked of.
    pub(crate) register: &'static str,
    /// Questions of one set and table are open together.
    pub(crate) set: &'static str,
    pub(crate) sql: &'static str,
    /// The group columns among the outputs, as they stand in the text, and everything else.
    pub(crate) keys: Vec<Output>,
    pub(crate) shown: Vec<Output>,
    /// Each aggregate once, wherever it stands.
    pub(crate) figures: Vec<Figure>,
    /// From FROM to before GROUP BY.
    pub(crate) body: &'static str,
    pub(crate) having: Option<&'static str>,
    pub(crate) order: Option<&'static str>,
    pub(crate) limit: Option<usize>,
}

/// Every question.
pub(crate) fn questions() -> Vec<Question> {
    { QUESTIONS.lines() }
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let mut parts = line.splitn(3, " | ");
            let mut next = || parts.next().expect("three parts");
            Question::read(next(), next(), next())
        })
        .collect()
}

impl Question {
    fn read(register: &'static str, set: &'static str, sql: &'static str) -> Question {
        let rest = sql.strip_prefix("SELECT ").expect("a SELECT");
        let (select, rest) = rest.split_once(" FROM ").expect("a FROM");
        let clause = |name: &str| rest.split_once(name).map(|(_, rest)| rest);
        let until = |text: &'static str, names: &[&str]| {
            let ends = names.iter().filter_map(|name| text.find(name));
            &text[..ends.min().unwrap_or(text.len())]
        };
        let having = clause(" HAVING ").map(|text| until(text, &[" ORDER BY ", " LIMIT "]));
        let (mut keys, mut shown) = (Vec::new(), Vec::new());
        let mut figures = Vec::new();
        for output in outputs(select) {
            let (text, name) = output.rsplit_once(" AS ").unwrap_or((output, output));
            let name = name.rsplit('.').next().expect("a name");
            let output = Output {
                text: text.to_owned(),
                name: name.to_owned(),
            };
            match aggregates(text).is_empty() && !text.contains(OVER) {
                true => keys.push(output),
                false => shown.push(output),
            }
        }
        let texts = shown.iter().map(|output| output.text.as_str());
        for figure in texts.chain(having).flat_map(aggregates) {
            if !figures.contains(&figure) {
                figures.push(figure);
            }
        }
        Question {
            register,
            set,
            sql,
            keys,
            shown,
            figures,
            body: until(rest, &[" GROUP BY ", " HAVING ", " ORDER BY ", " LIMIT "]),
            having,
            order: clause(" ORDER BY ").map(|text| until(text, &[" LIMIT "])),
            limit: clause(" LIMIT ").map(|limit| limit.parse().expect("a number")),
        }
    }

    /// The protected table whose rows are counted.
    pub(crate) fn table(&self) -> &'static str {
        self.body.split(' ').next().expect("a table")
    }

    /// Its entity column.
    pub(crate) fn entity(&self) -> &'static str {
        match self.table() {
            "customer" => "c_custkey",
            "orders" => "o_custkey",
            _ => "flights.tailnum",
        }
    }

    /// A text with every aggregate in it replaced by the name of its column in a table of figures, and every group column
    /// of a window by the name of its.
    pub(crate) fn over_figures(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (at, figure) in self.figures.iter().enumerate() {
            text = text.replace(&figure.text, &format!("f{at}"));
        }
        let mut parts = text.split(OVER);
        let mut replaced = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            // First those in words of their own, so that the first parenthesis that closes is the window's.
            let mut part = part.to_owned();
            for (at, key) in self.keys.iter().enumerate() {
                if key.text.contains('(') {
                    part = part.replace(&key.text, &format!("k{at}"));
                }
            }
            let (mut window, rest) = match part.split_once(')') {
                Some((window, rest)) => (window.to_owned(), rest),
                None => panic!("a window is not closed: {text}"),
            };
            for (at, key) in self.keys.iter().enumerate() {
                window = window.replace(&key.text, &format!("k{at}"));
            }
            replaced.push_str(&format!("{OVER}{window}){rest}"));
        }
        replaced
    }
}

/// The outputs: apart by commas that stand in no parentheses.
fn outputs(select: &'static str) -> Vec<&'static str> {
    let (mut depth, mut from, mut found) = (0_i32, 0, Vec::new());
    for (at, sign) in select.char_indices() {
        match sign {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                found.push(select[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(select[from..].trim());
    found
}

/// The aggregates in a text, in order.
fn aggregates(text: &str) -> Vec<Figure> {
    let names = [
        ("count(distinct ", Asked::Entities),
        ("count(", Asked::Count),
        ("sum(", Asked::Sum),
        ("avg(", Asked::Average),
    ];
    let mut found = Vec::new();
    for (at, _) in text.char_indices() {
        let begins = { names.iter() }.find(|(name, _)| text[at..].starts_with(name));
        let Some((_, asked)) = begins else { continue };
        let end = at + text[at..].find(')').expect("it is closed");
        // A function of figures, whose own aggregate comes next.
        if text[at..end].matches('(').count() > 1 {
            continue;
        }
        found.push(Figure {
            asked: *asked,
            text: text[at..=end].to_owned(),
        });
    }
    found
}
