//! Types of settings that only the store has.

use std::time::Duration;

use boostermq_remoting::config::Setting;

boostermq_remoting::constants! {
    /// When a send is answered.
    pub enum FlushDiskType {
        /// When the message is on disk.
        SyncFlush = "SYNC_FLUSH",
        /// When it is in memory; it reaches the disk a moment later.
        AsyncFlush = "ASYNC_FLUSH",
    }
}

boostermq_remoting::constants! {
    /// What a broker is to its replicas.
    pub enum BrokerRole {
        /// Answers a send without waiting for replicas.
        AsyncMaster = "ASYNC_MASTER",
        /// Answers a send when as many replicas have it as must.
        SyncMaster = "SYNC_MASTER",
        /// Copies a master.
        Slave = "SLAVE",
    }
}

/// Hours of the day, in local time: `04` or `02;14`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoursOfDay(Vec<u8>);

impl HoursOfDay {
    /// One hour, 0 to 23.
    #[must_use]
    pub fn at(hour: u8) -> Self {
        Self(vec![hour])
    }

    /// The hours, as they were given.
    #[must_use]
    pub fn hours(&self) -> &[u8] {
        &self.0
    }
}

impl Setting for HoursOfDay {
    fn kind() -> String {
        "hours of the day from 00 to 23, separated by `;`".into()
    }

    fn parse(text: &str) -> Option<Self> {
        let hour = |part: &str| part.trim().parse().ok().filter(|hour| *hour < 24);
        let hours = text.split(';').filter(|part| !part.trim().is_empty()).map(hour).collect::<Option<Vec<u8>>>()?;
        (!hours.is_empty()).then_some(Self(hours))
    }

    fn text(&self) -> Option<String> {
        Some(self.0.iter().map(|hour| format!("{hour:02}")).collect::<Vec<_>>().join(";"))
    }
}

/// The delays of levels 1 to N: `1s 5s 10s 30s 1m`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayLevels {
    text: String,
    delays: Vec<Duration>,
}

/// The eighteen levels that clients count on.
const DEFAULT_DELAY_LEVELS: &str = "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h";

impl DelayLevels {
    /// The highest level.
    #[must_use]
    pub fn highest(&self) -> u32 {
        u32::try_from(self.delays.len()).unwrap_or(u32::MAX)
    }

    /// The delay of a level; `None` for 0 and for a level above the highest.
    #[must_use]
    pub fn delay(&self, level: u32) -> Option<Duration> {
        let index = usize::try_from(level).ok()?.checked_sub(1)?;
        self.delays.get(index).copied()
    }

    /// The delays, that of level 1 first.
    #[must_use]
    pub fn delays(&self) -> &[Duration] {
        &self.delays
    }
}

impl Default for DelayLevels {
    fn default() -> Self {
        let delays = [1, 5, 10, 30].into_iter().chain((1..=10).chain([20, 30, 60, 120]).map(|minutes| minutes * 60));
        Self { text: DEFAULT_DELAY_LEVELS.to_owned(), delays: delays.map(Duration::from_secs).collect() }
    }
}

impl Setting for DelayLevels {
    fn kind() -> String {
        "delays such as `1s 5m 2h 1d`, separated by blanks".into()
    }

    fn parse(text: &str) -> Option<Self> {
        let delays = text.split_ascii_whitespace().map(delay).collect::<Option<Vec<_>>>()?;
        (!delays.is_empty()).then(|| Self { text: text.to_owned(), delays })
    }

    fn text(&self) -> Option<String> {
        Some(self.text.clone())
    }
}

fn delay(text: &str) -> Option<Duration> {
    let (unit_at, unit) = text.char_indices().next_back()?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    // Five digits are 273 years of days: the sum with a clock in milliseconds cannot overflow.
    let count = text.get(..unit_at).filter(|digits| digits.len() <= 5)?.parse::<u64>().ok()?;
    Some(Duration::from_secs(seconds * count))
}
