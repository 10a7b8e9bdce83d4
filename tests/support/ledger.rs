//! The ledger as the agent prints it, and the two equations written down a second time.

use serde_json::Value;

/// One printed ledger.
#[derive(Debug, Clone)]
pub struct Ledger(pub Value);

impl Ledger {
    /// A count of the records' side: `accepted`, `delivered`, `pending`, `dead_letter`, ...
    #[track_caller]
    pub fn records(&self, name: &str) -> u64 {
        count(&self.0["records"], name)
    }

    /// Whether every packet that was read has ended, as a rejection or as an accepted record.
    pub fn is_at_rest(&self) -> bool {
        let mut accounts = self.listeners().iter();
        accounts.all(|account| count(account, "in_hand") == 0) && self.records("in_hand") == 0
    }

    /// Records in `state` (`delivered`, `pending`) that packets have made, where every report that was made is in that
    /// state too.
    #[track_caller]
    pub fn of_packets(&self, state: &str) -> u64 {
        let (records, generated) = (self.records(state), self.records("generated"));
        let packets = records.checked_sub(generated);
        packets.unwrap_or_else(|| panic!("a report is not {state}: {:#}", self.0))
    }

    /// Σ lost.
    #[track_caller]
    pub fn lost_total(&self) -> u64 {
        sum(&self.0["records"]["lost"])
    }

    /// Records lost for `reason`; 0 where the reason is not printed.
    pub fn lost(&self, reason: &str) -> u64 {
        self.0["records"]["lost"][reason].as_u64().unwrap_or(0)
    }

    /// A count of one listener: `received`, `used`, `kernel_dropped`, `in_hand`.
    #[track_caller]
    pub fn listener(&self, listener: &str, name: &str) -> u64 {
        count(self.account(listener), name)
    }

    /// Packets that one listener rejected for `reason`; 0 where the reason is not printed.
    #[track_caller]
    pub fn rejected(&self, listener: &str, reason: &str) -> u64 {
        self.account(listener)["rejected"][reason]
            .as_u64()
            .unwrap_or(0)
    }

    /// Both equations, computed here from the printed numbers, and the agent's own verdict on them.
    #[track_caller]
    pub fn assert_balances(&self) {
        assert_eq!(self.0["balanced"], true, "the agent says: {:#}", self.0);
        for account in self.listeners() {
            let ended =
                count(account, "used") + sum(&account["rejected"]) + count(account, "in_hand");
            assert_eq!(count(account, "received"), ended, "received: {account:#}");
        }
        let made = self.records("from_packets") + self.records("generated");
        assert_eq!(self.records("accepted"), made, "accepted: {:#}", self.0);
        let settled = self.records("delivered")
            + self.records("pending")
            + self.records("dead_letter")
            + sum(&self.0["records"]["lost"]);
        assert_eq!(self.records("accepted"), settled, "settled: {:#}", self.0);
    }

    /// The equations of a process that has ended: nothing is in hand, nothing is pending, and every packet that was
    /// used is a record.
    #[track_caller]
    pub fn assert_closed(&self) {
        self.assert_balances();
        assert_eq!(
            self.records("pending"),
            0,
            "pending at the end: {:#}",
            self.0
        );
        self.assert_at_rest();
    }

    /// Nothing is in hand, and every packet that was used is a record of this run.
    #[track_caller]
    pub fn assert_at_rest(&self) {
        self.assert_balances();
        let mut used = 0;
        for account in self.listeners() {
            assert_eq!(
                count(account, "in_hand"),
                0,
                "in hand at the end: {account:#}"
            );
            used += count(account, "used");
        }
        let made = self.records("from_packets") - self.records("earlier");
        assert_eq!(used, made, "used: {:#}", self.0);
        assert_eq!(
            self.records("in_hand"),
            0,
            "on their way to the log: {:#}",
            self.0
        );
    }

    #[track_caller]
    fn account(&self, listener: &str) -> &Value {
        self.listeners()
            .iter()
            .find(|account| account["name"] == listener)
            .unwrap_or_else(|| panic!("no listener {listener} in {:#}", self.0))
    }

    #[track_caller]
    fn listeners(&self) -> &[Value] {
        self.0["listeners"]
            .as_array()
            .unwrap_or_else(|| panic!("no list of listeners in {:#}", self.0))
    }
}

#[track_caller]
fn count(account: &Value, name: &str) -> u64 {
    account[name]
        .as_u64()
        .unwrap_or_else(|| panic!("no count {name} in {account:#}"))
}

/// The sum of a map from reason to count.
#[track_caller]
fn sum(reasons: &Value) -> u64 {
    let reasons = reasons
        .as_object()
        .unwrap_or_else(|| panic!("no map of reasons: {reasons:#}"));
    reasons.values().map(|n| n.as_u64().expect("a count")).sum()
}
