//! Writes documents by a grammar: nested values of every kind, fragments that share one another,
//! texts that were damaged.

use std::fmt::Write;

/// A generator of random numbers that is the same everywhere (Marsaglia, "Xorshift RNGs", 2003).
pub struct Dice(u64);

impl Dice {
    pub fn seeded(seed: u64) -> Self {
        // Neighbouring seeds give nothing alike.
        Self((seed.wrapping_add(1)).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// A field of the schema: its name, arguments that fit, and the type that it selects from ("" where
/// it is a value).
type Field = (&'static str, &'static str, &'static str);

const QUERY: &[Field] = &[
    ("__typename", "", ""),
    ("order", "(id:\"o1\")", "Order"),
    ("orders", "(first:3)", "OrderConnection"),
    ("orders", "(where:{state:RUNNING,status:\"Placed\"},last:2)", "OrderConnection"),
    ("workflow", "(name:\"long\")", "Workflow"),
    ("overview", "", "Overview"),
    ("__schema", "", "__Schema"),
    ("__type", "(name:\"Order\")", "__Type"),
];

fn fields(of: &str) -> &'static [Field] {
    match of {
        "Query" | "Mutation" => QUERY,
        "Subscription" => &[("order", "(id:\"o1\")", "Order"), ("orders", "", "Order")],
        "OrderConnection" => &[("nodes", "", "Order"), ("edges", "", "OrderEdge"), ("pageInfo", "", "PageInfo")],
        "OrderEdge" => &[("node", "", "Order"), ("cursor", "", "")],
        "PageInfo" => &[("hasNextPage", "", ""), ("endCursor", "", "")],
        "Order" => &[
            ("id", "", ""),
            ("status", "", ""),
            ("state", "", ""),
            ("position", "", ""),
            ("attributes", "", ""),
            ("lines", "", "OrderLine"),
            ("steps", "", "Step"),
            ("timeline", "(first:2)", "TimelineConnection"),
        ],
        "OrderLine" => &[("sku", "", ""), ("quantity", "", "")],
        "Step" => &[("id", "", ""), ("status", "", "")],
        "TimelineConnection" => &[("nodes", "", "TimelineEntry")],
        "TimelineEntry" => &[("recordedAt", "", "")],
        "Workflow" => &[("name", "", ""), ("source", "", ""), ("version", "", "")],
        "Overview" => &[("byState", "", "StateCount"), ("orders", "", "")],
        "StateCount" => &[("state", "", ""), ("count", "", "")],
        "__Schema" => &[("types", "", "__Type"), ("queryType", "", "__Type")],
        "__Type" => &[
            ("name", "", ""),
            ("kind", "", ""),
            ("description", "", ""),
            ("fields", "", "__Field"),
            ("ofType", "", "__Type"),
        ],
        "__Field" => &[("name", "", ""), ("type", "", "__Type"), ("args", "", "__InputValue")],
        _ => &[("name", "", ""), ("__typename", "", "")],
    }
}

/// How large documents get. The last are far beyond what is allowed.
const SIZES: [usize; 10] = [500, 500, 1_000, 1_000, 2_000, 4_000, 8_000, 20_000, 60_000, 300_000];

pub struct Author<'d> {
    dice: &'d mut Dice,
    text: String,
    fragments: usize,
    variables: usize,
    /// Where it stops to select more, in bytes.
    size: usize,
    /// Whether it keeps to the rules, so that most of what it writes is executed.
    is_careful: bool,
    aliases: usize,
}

/// A request: a document, and variables as JSON.
pub struct Written {
    pub query: String,
    pub variables: serde_json::Value,
}

pub fn write(dice: &mut Dice) -> Written {
    let fragments = if dice.one_in(30) { dice.below(400) } else { dice.below(8) };
    let variables = if dice.one_in(30) { dice.below(400) } else { dice.below(4) };
    let (size, is_careful) = (dice.one_of(&SIZES), !dice.one_in(3));
    if is_careful {
        return careful(dice, size);
    }
    let mut author = Author { dice, text: String::new(), fragments, variables, size, is_careful, aliases: 0 };
    author.document();
    let (query, dice) = (author.text, author.dice);
    let query = if dice.one_in(4) { damaged(query, dice) } else { query };
    let deep = if dice.one_in(20) { dice.below(200) } else { dice.below(5) };
    let value = (0..deep).fold(serde_json::json!("o1"), |inner, level| match level % 2 {
        0 => serde_json::json!([inner, 1, null]),
        _ => serde_json::json!({ "a": inner }),
    });
    let variables = (0..variables.min(20)).map(|variable| (format!("v{variable}"), value.clone())).collect();
    Written { query, variables: serde_json::Value::Object(variables) }
}

/// A document that keeps to the rules, large and shared as it may be.
fn careful(dice: &mut Dice, size: usize) -> Written {
    let fragments = if dice.one_in(10) { dice.below(40) } else { dice.below(5) };
    let mut author = Author { dice, text: String::new(), fragments, variables: 0, size, is_careful: true, aliases: 0 };
    if author.dice.one_in(8) {
        author.fragments = 0;
        author.say("subscription{order(id:\"o1\")");
        author.selections("Order", 2, 0);
        author.say("}");
    } else {
        author.say("query Q($v0:Int=2 $v1:Boolean=true){v:orders(first:$v0){nodes{id @skip(if:$v1)}}");
        let json = author.dice.below(20);
        let (open, close) = author.dice.one_of(&[("[", "]"), ("{a:", "}"), ("[1 ", "]")]);
        let (open, close) = (open.repeat(json), close.repeat(json));
        write!(author.text, " w:orders(where:{{attributes:[{{path:\"a\",value:{open}1{close}}}]}}){{nodes{{id}}}} ")
            .unwrap();
        for fragment in 0..fragments {
            write!(author.text, "...f{fragment} ").unwrap();
        }
        let depth = 1 + author.dice.below(5);
        author.selections_after_brace("Query", depth, 0);
        for fragment in 0..fragments {
            write!(author.text, " fragment f{fragment} on Query").unwrap();
            let depth = 1 + author.dice.below(3);
            author.selections("Query", depth, fragment + 1);
        }
    }
    Written { query: author.text, variables: serde_json::json!({ "v0": 1 }) }
}

/// A text of which a part is lost, repeated, or is something else.
fn damaged(text: String, dice: &mut Dice) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if letters.is_empty() {
        return text;
    }
    let (from, length) = (dice.below(letters.len()), dice.below(200));
    let to = (from + length).min(letters.len());
    match dice.below(4) {
        0 => letters.truncate(from),
        1 => drop(letters.drain(from..to)),
        2 => {
            let part: Vec<char> = letters[from..to].repeat(dice.below(30));
            letters.splice(from..from, part);
        }
        _ => {
            let strange =
                ["\"\"\"", "\"", "#", "\u{0}", "\u{feff}", "…", "🦀", "\\u{110000}", "$", "{", "[", "&", "\\"];
            let strange = dice.one_of(&strange).repeat(1 + dice.below(50));
            letters.splice(from..to, strange.chars());
        }
    }
    letters.into_iter().collect()
}

impl Author<'_> {
    fn say(&mut self, words: &str) {
        self.text.push_str(words);
    }

    fn document(&mut self) {
        let operations = if self.dice.one_in(40) { 1 + self.dice.below(80) } else { 1 };
        for operation in 0..operations {
            let kinds = [("query", "Query"), ("query", "Query"), ("query", "Query"), ("subscription", "Subscription")];
            let (kind, root) = if self.dice.one_in(20) { ("mutation", "Mutation") } else { self.dice.one_of(&kinds) };
            if operation > 0 || self.variables > 0 || kind != "query" || self.dice.one_in(2) {
                write!(self.text, "{kind} Q{operation}").unwrap();
                self.definitions();
            }
            self.directives();
            let depth = 1 + self.dice.below(6);
            self.selections(root, depth, 0);
        }
        for fragment in 0..self.fragments {
            let on = self.dice.one_of(&["Query", "Query", "Query", "Order", "__Type"]);
            write!(self.text, " fragment f{fragment} on {on}").unwrap();
            let depth = 1 + self.dice.below(3);
            // As a rule it spreads later ones only, many times over: an exponential document
            // without a cycle.
            let first = if self.dice.one_in(20) { 0 } else { fragment + 1 };
            self.selections(on, depth, first);
        }
    }

    fn definitions(&mut self) {
        if self.variables == 0 {
            return;
        }
        self.say("(");
        for variable in 0..self.variables {
            let of = self.dice.one_of(&["ID!", "Int", "String", "[Int!]!", "OrderFilter", "JSON", "Boolean"]);
            write!(self.text, "$v{variable}:{of}").unwrap();
            if self.dice.one_in(3) {
                self.say("=");
                self.value();
            }
            self.say(" ");
        }
        self.say(")");
    }

    /// What is selected of a type. Fragments are spread from `first` on.
    fn selections(&mut self, of: &str, depth: usize, first: usize) {
        self.say("{");
        self.selections_after_brace(of, depth, first);
    }

    fn selections_after_brace(&mut self, of: &str, depth: usize, first: usize) {
        let width = match self.dice.below(60) {
            0 => self.dice.below(3_000),
            1..=5 => self.dice.below(40),
            _ => 1 + self.dice.below(4),
        };
        for _ in 0..width {
            if self.text.len() > self.size {
                break;
            }
            match self.dice.below(10) {
                0 | 1 if first < self.fragments && (of == "Query" || !self.is_careful) => {
                    let fragment = first + self.dice.below((self.fragments - first).min(3));
                    for _ in 0..=self.dice.below(6) {
                        write!(self.text, "...f{fragment} ").unwrap();
                    }
                }
                2 if depth > 0 => {
                    self.say("... ");
                    self.directives();
                    self.selections(of, depth - 1, first);
                }
                _ => self.field(of, depth, first),
            }
        }
        // An empty selection does not parse.
        self.say(" __typename}");
    }

    fn field(&mut self, of: &str, depth: usize, first: usize) {
        let (name, arguments, selects) = self.dice.one_of(fields(of));
        if self.is_careful || !self.dice.one_in(4) {
            // Two of the same name would have to be the same field.
            self.aliases += 1;
            write!(self.text, "a{}:", self.aliases).unwrap();
        }
        self.say(name);
        if !self.is_careful && self.dice.one_in(12) {
            self.say("(id:");
            self.value();
            self.say(")");
        } else {
            self.say(arguments);
        }
        self.directives();
        if selects.is_empty() {
            self.say(" ");
        } else if depth == 0 {
            self.say("{__typename}");
        } else {
            self.selections(selects, depth - 1, first);
        }
    }

    fn directives(&mut self) {
        if self.is_careful {
            let directive = self.dice.one_of(&["", "", "", "", " @include(if:true) ", " @skip(if:false) "]);
            return self.say(directive);
        }
        let count = match self.dice.below(40) {
            0 => self.dice.below(30),
            1..=4 => 1,
            _ => 0,
        };
        for _ in 0..count {
            let name = self.dice.one_of(&["skip", "include", "include", "deprecated", "nothing"]);
            write!(self.text, " @{name}(if:").unwrap();
            if self.dice.one_in(3) {
                self.value();
            } else {
                self.say("true");
            }
            self.say(") ");
        }
    }

    fn value(&mut self) {
        let deep = if self.dice.one_in(30) { self.dice.below(2_000) } else { self.dice.below(4) };
        let (open, close) = self.dice.one_of(&[("[", "]"), ("{a:", "}"), ("[1 ", "]"), ("{a:1 b:", "}")]);
        self.say(&open.repeat(deep));
        let long = if self.dice.one_in(100) { 50_000 } else { 3 };
        match self.dice.below(7) {
            0 => write!(self.text, "$v{}", self.dice.below(6)).unwrap(),
            1 => self.say("1e400"),
            2 => self.say(&"9".repeat(long)),
            3 => self.say(&format!("\"{}\"", "x".repeat(long))),
            4 => self.say(&format!("\"\"\"{}\"\"\"", "x\n ".repeat(long))),
            5 => self.say("RUNNING"),
            _ => self.say("\"o1\""),
        }
        self.say(&close.repeat(deep));
    }
}
