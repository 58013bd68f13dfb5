//! The calls in a script: names, parameters, literal values.

use super::Error;
use crate::policy::interchange::MAX_LEN;

/// A cmdlet's call.
pub(super) struct Call {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) parameters: Vec<Parameter>,
    /// Values without a parameter.
    pub(super) strays: Vec<Value>,
}

pub(super) struct Parameter {
    pub(super) name: String,
    /// Several: an array.
    pub(super) values: Vec<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Literal(String),
    /// A variable, or a text with one in it.
    Computed(String),
}

enum Token {
    Word(String),
    Quoted(Value),
    /// `-Name`, or `-Name:` with its value after it.
    Parameter(String),
    Comma,
    Equals,
    Open,
    Close,
    End,
}

const DEEPEST: usize = 64;

/// Calls in brackets come before the call that they are given to.
pub(super) fn calls(text: &str) -> Result<Vec<Call>, Error> {
    if text.len() > MAX_LEN {
        return Err(Error::TooLarge(text.len()));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found = Vec::new();
    let mut frames = vec![Frame::default()];
    for (token, line) in tokens(text)? {
        let depth = frames.len();
        let Some(frame) = frames.last_mut() else { break };
        match token {
            Token::Open if depth >= DEEPEST => return Err(Error::Deep(line)),
            Token::Open => frames.push(Frame::default()),
            Token::Close => {
                found.extend(frame.call.take());
                // A bracket too many closes nothing.
                if depth > 1 {
                    frames.pop();
                }
                if let Some(outer) = frames.last_mut() {
                    outer.expects = false;
                }
            }
            Token::End => {
                found.extend(frame.call.take());
                *frame = Frame::default();
            }
            other => frame.take(other, line, &mut found),
        }
    }
    for frame in frames {
        found.extend(frame.call);
    }
    Ok(found)
}

/// What is being read within one pair of brackets.
#[derive(Default)]
struct Frame {
    call: Option<Call>,
    /// A variable was named; `=` may follow.
    variable: bool,
    /// The parameter's value may follow.
    expects: bool,
    /// A further value of an array follows.
    more: bool,
}

impl Frame {
    fn take(&mut self, token: Token, line: usize, found: &mut Vec<Call>) {
        let variable = std::mem::take(&mut self.variable);
        match token {
            Token::Comma => self.more = self.call.is_some(),
            Token::Equals if variable => found.extend(self.call.take()),
            Token::Equals => {}
            Token::Parameter(name) => {
                self.more = false;
                if let Some(call) = &mut self.call {
                    call.parameters.push(Parameter {
                        name,
                        values: Vec::new(),
                    });
                    self.expects = true;
                }
            }
            Token::Word(word) if self.call.is_none() => {
                if word.starts_with('$') {
                    self.variable = true;
                } else if !word.starts_with('&') {
                    self.call = Some(Call {
                        name: word,
                        line,
                        parameters: Vec::new(),
                        strays: Vec::new(),
                    });
                }
            }
            Token::Word(word) => {
                let computed = word.starts_with(['$', '@']) && !is_truth(&word);
                self.value(if computed {
                    Value::Computed(word)
                } else {
                    Value::Literal(word)
                });
            }
            Token::Quoted(value) => self.value(value),
            Token::Open | Token::Close | Token::End => {}
        }
    }

    fn value(&mut self, value: Value) {
        let wanted = self.expects || self.more;
        (self.expects, self.more) = (false, false);
        let Some(call) = &mut self.call else { return };
        match call.parameters.last_mut() {
            Some(parameter) if wanted => parameter.values.push(value),
            _ => call.strays.push(value),
        }
    }
}

pub(super) fn is_truth(word: &str) -> bool {
    word.eq_ignore_ascii_case("$true") || word.eq_ignore_ascii_case("$false")
}

/// The language takes typographic quotation marks for plain ones.
fn is_single(c: char) -> bool {
    matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}')
}

fn is_double(c: char) -> bool {
    matches!(c, '"' | '\u{201c}' | '\u{201d}' | '\u{201e}')
}

fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2013}' | '\u{2014}' | '\u{2015}')
}

struct Scanner<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
}

impl Scanner<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn next_if(&mut self, is: impl FnOnce(char) -> bool) -> Option<char> {
        let c = self.rest.peek().copied().filter(|c| is(*c))?;
        self.next();
        Some(c)
    }
}

fn tokens(text: &str) -> Result<Vec<(Token, usize)>, Error> {
    let mut tokens = Vec::new();
    let mut scanner = Scanner {
        rest: text.chars().peekable(),
        line: 1,
    };
    while let Some(&c) = scanner.rest.peek() {
        let line = scanner.line;
        let token = match c {
            '\n' => {
                scanner.next();
                // An array goes on in the next line.
                match tokens.last() {
                    Some((Token::Comma, _)) => continue,
                    _ => Token::End,
                }
            }
            c if c.is_whitespace() => {
                scanner.next();
                continue;
            }
            '#' => {
                while scanner.next_if(|c| c != '\n').is_some() {}
                continue;
            }
            '<' => {
                scanner.next();
                if scanner.next_if(|c| c == '#').is_some() {
                    block_comment(&mut scanner, line)?;
                }
                continue;
            }
            '`' => {
                // The line goes on after its break; otherwise the sign after it stands for itself.
                scanner.next();
                scanner.next_if(|c| c == '\r');
                scanner.next();
                continue;
            }
            c if is_single(c) || is_double(c) => Token::Quoted(quoted(&mut scanner)?),
            '(' | '{' => {
                scanner.next();
                Token::Open
            }
            ')' | '}' => {
                scanner.next();
                Token::Close
            }
            ',' => {
                scanner.next();
                Token::Comma
            }
            '=' => {
                scanner.next();
                Token::Equals
            }
            ';' | '|' => {
                scanner.next();
                Token::End
            }
            _ => word(&mut scanner),
        };
        // `@(` and `@{` are brackets.
        if let (Token::Open, Some((Token::Word(at), _))) = (&token, tokens.last())
            && at == "@"
        {
            tokens.pop();
        }
        tokens.push((token, line));
    }
    Ok(tokens)
}

fn block_comment(scanner: &mut Scanner<'_>, line: usize) -> Result<(), Error> {
    let mut last = ' ';
    while let Some(c) = scanner.next() {
        if last == '#' && c == '>' {
            return Ok(());
        }
        last = c;
    }
    Err(Error::Open {
        line,
        what: "a comment",
    })
}

fn quoted(scanner: &mut Scanner<'_>) -> Result<Value, Error> {
    let line = scanner.line;
    let single = scanner.next().is_some_and(is_single);
    let closes = |c| if single { is_single(c) } else { is_double(c) };
    let mut text = String::new();
    let mut computed = false;
    while let Some(c) = scanner.next() {
        if closes(c) {
            match scanner.next_if(closes) {
                // Doubled, it stands for itself.
                Some(again) => text.push(again),
                None if computed => return Ok(Value::Computed(text)),
                None => return Ok(Value::Literal(text)),
            }
        } else if c == '`' && !single {
            text.extend(scanner.next().map(|c| match c {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                other => other,
            }));
        } else {
            let names = |c: &char| c.is_alphanumeric() || matches!(c, '_' | '(' | '{' | '?' | '^' | '$' | ':');
            computed |= !single && c == '$' && scanner.rest.peek().is_some_and(names);
            text.push(c);
        }
    }
    Err(Error::Open {
        line,
        what: "a quotation mark",
    })
}

fn word(scanner: &mut Scanner<'_>) -> Token {
    let mut text = String::new();
    let dash = scanner.next_if(is_dash).is_some();
    let parameter = dash && scanner.rest.peek().is_some_and(|c| c.is_alphabetic());
    if dash && !parameter {
        text.push('-');
    }
    let variable = scanner.rest.peek() == Some(&'$');
    loop {
        let ends = |c: char| {
            c.is_whitespace()
                || matches!(c, ',' | ';' | '|' | '(' | ')' | '{' | '}')
                || is_double(c)
                || (is_single(c) && parameter)
                || (c == ':' && parameter)
                || (c == '=' && variable)
        };
        match scanner.next_if(|c| !ends(c)) {
            Some('`') => text.extend(scanner.next()),
            Some(c) => text.push(c),
            None => break,
        }
    }
    if parameter {
        scanner.next_if(|c| c == ':');
        return Token::Parameter(text);
    }
    if text.is_empty() {
        // A sign that ends words begins none; it is passed over.
        text.extend(scanner.next());
    }
    Token::Word(text)
}
