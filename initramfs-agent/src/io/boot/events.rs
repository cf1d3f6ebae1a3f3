//! Events of a boot as JSON (docs/protocol.md), and the console: the two ways a person learns what happens.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::reporter::Reporter;
use super::retry;
use crate::core::error::Error;
use crate::core::json::write_string;
use crate::core::text::{LINE_CHARS_MAX, printable, printable_json};

/// Longest text in an event, bytes.
const TEXT_BYTES_MAX: usize = 400;

/// The `data` of an event while it is made.
#[derive(Default)]
pub struct Data(String);

impl Data {
    fn name(mut self, name: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        write_string(&mut self.0, name);
        self.0.push(':');
        self
    }

    /// An integer.
    pub fn number(self, name: &str, value: u64) -> Self {
        let mut data = self.name(name);
        data.0.push_str(&value.to_string());
        data
    }

    /// An integer, where it is known.
    pub fn number_if(self, name: &str, value: Option<u64>) -> Self {
        match value {
            Some(value) => self.number(name, value),
            None => self,
        }
    }

    /// `true` or `false`.
    pub fn flag(self, name: &str, value: bool) -> Self {
        let mut data = self.name(name);
        data.0.push_str(if value { "true" } else { "false" });
        data
    }

    /// Objects in order.
    pub fn list(self, name: &str, items: Vec<Data>) -> Self {
        let mut data = self.name(name);
        let items: Vec<_> = items.into_iter().map(|item| item.0).collect();
        data.0.push('[');
        if !items.is_empty() {
            data.0.push_str(&format!("{{{}}}", items.join("},{")));
        }
        data.0.push(']');
        data
    }

    /// A text, where there is one.
    pub fn text_if(self, name: &str, value: Option<String>) -> Self {
        match value {
            Some(value) => self.text(name, &value),
            None => self,
        }
    }

    /// Its members as JSON, without the braces.
    #[cfg(test)]
    pub fn members(&self) -> &str {
        &self.0
    }

    /// A duration in seconds, to the millisecond.
    pub fn seconds(self, name: &str, value: Duration) -> Self {
        let mut data = self.name(name);
        data.0
            .push_str(&format!("{}.{:03}", value.as_secs(), value.subsec_millis()));
        data
    }

    /// A text, cut where it is too long.
    pub fn text(self, name: &str, value: &str) -> Self {
        let mut end = value.len().min(TEXT_BYTES_MAX);
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        let mut data = self.name(name);
        write_string(&mut data.0, &value[..end]);
        data
    }
}

/// Reports everything that happens: as an event to the server, and on the console either as a line of ASCII or, with
/// `--json`, as the event itself.
pub struct Log {
    boot: String,
    started: Instant,
    json: bool,
    reporter: Reporter,
    /// The next `seq`, and the one place where output happens, so that lines never mix.
    state: Mutex<State>,
}

struct State {
    next_seq: u64,
    out: Box<dyn Write + Send>,
}

impl State {
    /// A console that is gone must not stop a boot.
    fn print(&mut self, line: &str) {
        let _ = self
            .out
            .write_all(format!("{line}\n").as_bytes())
            .and_then(|()| self.out.flush());
    }
}

impl Log {
    /// A log of the boot with this id that started now.
    pub fn new(boot: String, json: bool, reporter: Reporter, out: Box<dyn Write + Send>) -> Self {
        Self {
            boot,
            started: Instant::now(),
            json,
            reporter,
            state: Mutex::new(State { next_seq: 0, out }),
        }
    }

    /// The boot's random id.
    pub fn boot(&self) -> &str {
        &self.boot
    }

    /// Since the agent started.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Who sends the events.
    pub fn reporter(&self) -> &Reporter {
        &self.reporter
    }

    /// Reports an event and returns its JSON; `line` is its text on the console, if it has one.
    pub fn event(&self, kind: &str, data: Data, line: Option<&str>) -> String {
        let mut state = self.lock();
        let event = format!(
            r#"{{"boot":"{}","data":{{{}}},"seq":{},"t_ms":{},"type":"{kind}"}}"#,
            self.boot,
            data.0,
            state.next_seq,
            self.started.elapsed().as_millis()
        );
        state.next_seq += 1;
        if self.json {
            state.print(&printable_json(&event));
        } else if let Some(line) = line {
            state.print(&for_people(line));
        }
        self.reporter.push(event.clone(), kind == "progress");
        event
    }

    /// A line for people only.
    pub fn say(&self, line: &str) {
        if !self.json {
            self.lock().print(&for_people(line));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports `boot.failed`; returns the event's JSON.
    pub fn failed(&self, error: &Error, retry_in: Option<Duration>) -> String {
        let data = Data::default()
            .text("code", error.code.as_str())
            .text("message", &error.message)
            .number("retry_in_s", retry_in.map_or(0, retry::seconds));
        let then = match retry_in {
            Some(wait) => format!("next try in {} s", retry::seconds(wait)),
            None => "giving up".to_owned(),
        };
        self.event(
            "boot.failed",
            data,
            Some(&format!("BOOT FAILED: {error}; {then}")),
        )
    }
}

/// A printable line, safe for any console: names come from servers and peers.
fn for_people(line: &str) -> String {
    format!("bootswarm: {}", printable(line, LINE_CHARS_MAX))
}

/// Bytes for people: `12.3 MB`.
pub fn megabytes(bytes: u64) -> String {
    let tenths = (bytes + 50_000) / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_json() {
        let data = Data::default()
            .number("n", u64::MAX)
            .seconds("s", Duration::from_millis(61_005))
            .text("t", "a\"\n\u{e4}")
            .text("long", &"\u{20ac}".repeat(1000));
        let value: serde_json::Value = serde_json::from_str(&format!("{{{}}}", data.0)).unwrap();
        assert_eq!(
            (value["n"].as_u64(), value["s"].as_f64(), value["t"].as_str()),
            (Some(u64::MAX), Some(61.005), Some("a\"\n\u{e4}"))
        );
        assert_eq!(value["long"].as_str().unwrap().chars().count(), 133);
    }

    #[test]
    fn lines_are_ascii() {
        assert_eq!(
            for_people("a\u{1b}[2J\r\nbootswarm: \u{e4}~"),
            r"bootswarm: a\u{1b}[2J\r\nbootswarm: \u{e4}~"
        );
        assert_eq!(
            (megabytes(0), megabytes(49_999), megabytes(130_060_000)),
            ("0.0 MB".into(), "0.0 MB".into(), "130.1 MB".into())
        );
    }
}
