//! The text that Prometheus reads, version 0.0.4.
//!
//! ```text
//! # HELP rocketmq_half_messages Transactions that are open
//! # TYPE rocketmq_half_messages gauge
//! rocketmq_half_messages{cluster="c",node_id="b",node_type="broker",otel_scope_name="broker-meter",topic="T"} 1.0
//! ```
//! Labels stand in the order of their names, `le` last; numbers as the reference's exporter writes them. A family without a series is
//! left out. Never here: what the numbers mean.

use std::fmt::Write as _;

use super::histogram::Steps;

/// What a family of series is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only grows.
    Counter,
    /// Values by steps.
    Histogram,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

/// Series of one name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    /// The name in full.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) kind: Kind,
    /// For people.
    pub(crate) help: &'static str,
}

/// Labels of one series beside those that all have.
pub(crate) type Labels<'a> = &'a [(&'a str, &'a str)];

/// A page being written.
#[derive(Debug)]
pub(crate) struct Page {
    /// Labels that every series has, sorted.
    base: Vec<(String, String)>,
    /// Series of one family, at most.
    limit: usize,
    text: String,
    family: &'static str,
    series: usize,
    /// Families of which series were left out.
    overfull: Vec<&'static str>,
}

impl Page {
    /// An empty page; every series will have the labels `base`.
    pub(crate) fn new(mut base: Vec<(String, String)>, limit: usize) -> Self {
        base.sort();
        Self { base, limit, text: String::new(), family: "", series: 0, overfull: Vec::new() }
    }

    /// Writes a number.
    pub(crate) fn number(&mut self, family: &Family, labels: Labels<'_>, value: f64) {
        if self.begin(family) {
            self.line(family.name, "", labels, None, |text| {
                // Writing into a String cannot fail.
                let _ = writeln!(text, "{value:?}");
            });
        }
    }

    /// Writes a histogram; one that nothing was counted in is left out.
    pub(crate) fn histogram(&mut self, family: &Family, labels: Labels<'_>, steps: &Steps) {
        let total = steps.count();
        if total == 0 || !self.begin(family) {
            return;
        }
        let mut below = 0;
        for (at, count) in steps.counts.iter().enumerate() {
            below += count;
            let bound = steps.bounds.get(at).map_or_else(|| "+Inf".to_owned(), |bound| format!("{:?}", *bound as f64));
            self.line(family.name, "_bucket", labels, Some(&bound), |text| {
                let _ = writeln!(text, "{below}");
            });
        }
        self.line(family.name, "_count", labels, None, |text| {
            let _ = writeln!(text, "{total}");
        });
        self.line(family.name, "_sum", labels, None, |text| {
            let _ = writeln!(text, "{:?}", steps.sum as f64);
        });
    }

    /// Makes room for a series; false when the family has too many.
    fn begin(&mut self, family: &Family) -> bool {
        if self.family != family.name {
            self.family = family.name;
            self.series = 0;
            let (name, kind) = (family.name, family.kind.name());
            let _ = writeln!(self.text, "# HELP {name} {}\n# TYPE {name} {kind}", family.help);
        }
        self.series += 1;
        if self.series > self.limit {
            if self.overfull.last() != Some(&family.name) {
                self.overfull.push(family.name);
            }
            return false;
        }
        true
    }

    fn line(
        &mut self,
        name: &str,
        suffix: &str,
        labels: Labels<'_>,
        bound: Option<&str>,
        value: impl FnOnce(&mut String),
    ) {
        let base = self.base.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut all: Vec<(&str, &str)> = base.chain(labels.iter().copied()).collect();
        all.sort_unstable_by_key(|(name, _)| *name);
        let text = &mut self.text;
        text.push_str(name);
        text.push_str(suffix);
        text.push('{');
        for (at, (name, value)) in all.iter().chain(bound.map(|bound| ("le", bound)).as_ref()).enumerate() {
            if at > 0 {
                text.push(',');
            }
            text.push_str(name);
            text.push_str("=\"");
            escape(value, text);
            text.push('"');
        }
        text.push_str("} ");
        value(text);
    }

    /// Families of which series were left out because there are too many.
    pub(crate) fn overfull(&self) -> &[&'static str] {
        &self.overfull
    }

    /// The text.
    pub(crate) fn finish(mut self) -> String {
        self.text.push_str("# TYPE target_info gauge\ntarget_info 1\n");
        self.text
    }
}

/// A value of a label between its quotes.
fn escape(value: &str, text: &mut String) {
    for letter in value.chars() {
        match letter {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            letter => text.push(letter),
        }
    }
}

/// True for what may name a label: letters, digits and `_`, no digit first.
pub(crate) fn is_label_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::super::histogram::Histogram;
    use super::*;

    const GAUGE: Family = Family { name: "g", kind: Kind::Gauge, help: "A gauge" };
    const STEPS: Family = Family { name: "h", kind: Kind::Histogram, help: "Steps" };

    fn page(limit: usize) -> Page {
        Page::new(vec![("node".to_owned(), "n".to_owned()), ("cluster".to_owned(), "c".to_owned())], limit)
    }

    #[test]
    fn labels_are_sorted_and_escaped() {
        let mut page = page(9);
        page.number(&GAUGE, &[("topic", "a\"b\\c\nd"), ("group", "g")], 5e9);
        page.number(&GAUGE, &[], -0.5);
        let expected = "# HELP g A gauge\n# TYPE g gauge\n\
            g{cluster=\"c\",group=\"g\",node=\"n\",topic=\"a\\\"b\\\\c\\nd\"} 5000000000.0\n\
            g{cluster=\"c\",node=\"n\"} -0.5\n# TYPE target_info gauge\ntarget_info 1\n";
        assert_eq!(page.finish(), expected);
    }

    #[test]
    fn steps_are_added_up_and_empty_ones_left_out() {
        let mut page = page(9);
        let histogram = Histogram::new(&[1, 1024]);
        page.histogram(&STEPS, &[], &histogram.steps());
        for value in [1, 2, 3000] {
            histogram.note(value);
        }
        page.histogram(&STEPS, &[("x", "y")], &histogram.steps());
        let labels = "cluster=\"c\",node=\"n\",x=\"y\"";
        let expected = format!(
            "# HELP h Steps\n# TYPE h histogram\nh_bucket{{{labels},le=\"1.0\"}} 1\nh_bucket{{{labels},le=\"1024.0\"}} 2\n\
             h_bucket{{{labels},le=\"+Inf\"}} 3\nh_count{{{labels}}} 3\nh_sum{{{labels}}} 3003.0\n\
             # TYPE target_info gauge\ntarget_info 1\n"
        );
        assert_eq!(page.finish(), expected);
    }

    #[test]
    fn a_family_has_no_more_series_than_allowed() {
        let mut page = page(2);
        for topic in ["a", "b", "c", "d"] {
            page.number(&GAUGE, &[("topic", topic)], 1.0);
        }
        page.histogram(&STEPS, &[], &Steps { bounds: &[1], counts: vec![1, 0], sum: 0 });
        assert_eq!(page.overfull(), ["g"]);
        let text = page.finish();
        assert!(text.contains("\"b\"") && !text.contains("topic=\"c\"") && text.contains("h_count"), "{text}");
    }

    #[test]
    fn names_of_labels_are_checked() {
        for (name, expected) in
            [("zone", true), ("_z9", true), ("9z", false), ("", false), ("a-b", false), ("ä", false)]
        {
            assert_eq!(is_label_name(name), expected, "{name}");
        }
    }
}
