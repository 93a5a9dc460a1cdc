//! What messages cost, counted in Redis by all nodes together.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::Script;

use super::link::Redis;
use crate::clock::Timestamp;
use crate::limits::{Charge, Expense, Shut, Spending, Spent, midnight};
use crate::outage::Outage;

/// Spending in Redis: a key for the day and one for each prefix. They share a hash tag, since one script counts in both.
#[derive(Debug)]
pub struct RedisSpending {
    redis: Arc<Redis>,
    spend: Script,
    give_back: Script,
    verified: Script,
}

impl RedisSpending {
    /// Spending in `redis`.
    pub fn new(redis: Arc<Redis>) -> Self {
        Self {
            redis,
            spend: Script::new(include_str!("scripts/spend.lua")),
            give_back: Script::new(include_str!("scripts/give_back.lua")),
            verified: Script::new(include_str!("scripts/verified.lua")),
        }
    }

    fn day(&self) -> String {
        format!("{}:{{sms}}:day", self.redis.prefix)
    }

    fn prefix(&self, prefix: &str) -> String {
        format!("{}:{{sms}}:to:{prefix}", self.redis.prefix)
    }
}

#[async_trait]
impl Spending for RedisSpending {
    async fn spend(&self, expense: &Expense, now: Timestamp) -> Result<Spent, Outage> {
        let Expense { prefix, charge, breaker, per_day } = expense;
        let window = u64::try_from(breaker.window.as_millis()).unwrap_or(u64::MAX);
        let mut invocation = self.spend.key(self.day());
        invocation.key(self.prefix(prefix)).arg(now.as_millis()).arg(midnight(now).as_millis()).arg(per_day);
        invocation.arg(window).arg(breaker.least).arg(breaker.percent).arg(charge.as_str());
        let said = self.redis.run(async |mut connection| invocation.invoke_async(&mut connection).await).await?;
        Ok(spent(said))
    }

    async fn give_back(&self, expense: &Expense, _now: Timestamp) -> Result<(), Outage> {
        let mut invocation = self.give_back.key(self.day());
        match expense.charge {
            Charge::Code => {
                invocation.key(self.prefix(&expense.prefix));
            }
            Charge::Notice => {}
            Charge::Nothing => return Ok(()),
        }
        self.redis.run(async |mut connection| invocation.invoke_async(&mut connection).await).await
    }

    async fn verified(&self, prefix: &str, now: Timestamp) -> Result<(), Outage> {
        let mut invocation = self.verified.key(self.prefix(prefix));
        invocation.arg(now.as_millis());
        self.redis.run(async |mut connection| invocation.invoke_async(&mut connection).await).await
    }
}

/// What the script returned: verdict, wait, is first, count, verified.
fn spent((verdict, wait, is_first, count, verified): (i8, u64, bool, u32, u32)) -> Spent {
    let shut = Shut { wait: Duration::from_millis(wait), is_first };
    match verdict {
        1 => Spent::Taken(count),
        0 => Spent::Capped(shut),
        _ => Spent::Open { shut, sent: count, verified },
    }
}
