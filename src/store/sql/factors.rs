//! Authenticators and recovery codes.

use async_trait::async_trait;

use super::Store;
use super::fault::Fault;
use super::link::{Link, Row};
use super::transact::{Act, End};
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::outage::Outage;
use crate::signin::{Factor, Factors, RecoveryCodes, Step};

#[async_trait]
impl Factors for Store {
    async fn find(&self, account: &AccountId) -> Result<Option<Factor>, Outage> {
        let row = self.ask_one(self.readers.sql.factor, &[account.into()]).await?;
        Ok(row.as_ref().map(factor).transpose()?)
    }

    async fn enrol(&self, account: &AccountId, sealed: &str, now: Timestamp) -> Result<bool, Outage> {
        self.carry_out(&Enrol { account, sealed, now }).await
    }

    async fn confirm(&self, step: &Step<'_>, codes: &[String], now: Timestamp) -> Result<bool, Outage> {
        self.carry_out(&Confirm { step, codes, now }).await
    }

    async fn use_step(&self, step: &Step<'_>, now: Timestamp) -> Result<bool, Outage> {
        let values = [step.number.into(), now.into(), step.account.into(), step.sealed.into(), step.number.into()];
        let used = self.change(self.writers.sql.use_step, &values).await?;
        Ok(used == 1)
    }

    async fn remove(&self, account: &AccountId) -> Result<bool, Outage> {
        self.carry_out(&Remove(account)).await
    }
}

#[async_trait]
impl RecoveryCodes for Store {
    async fn use_up(&self, account: &AccountId, code: &str) -> Result<Option<u32>, Outage> {
        self.carry_out(&UseUp { account, code }).await
    }

    async fn renew(&self, account: &AccountId, codes: &[String], now: Timestamp) -> Result<bool, Outage> {
        self.carry_out(&Renew { account, codes, now }).await
    }
}

/// Keep an authenticator, in the place of one that does not count yet.
struct Enrol<'a> {
    account: &'a AccountId,
    sealed: &'a str,
    now: Timestamp,
}

#[async_trait]
impl Act for Enrol<'_> {
    type Answer = bool;

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        let (account, sealed, now) = (self.account, self.sealed, self.now);
        let kept = link.execute(link.sql.renew_factor, &[sealed.into(), now.into(), account.into()]).await? > 0
            || link.execute(link.sql.add_factor, &[account.into(), sealed.into(), now.into()]).await? > 0;
        if kept {
            return Ok(End::Commit(true));
        }
        // There is a confirmed one; or another was kept since we looked, and this one takes its place.
        let confirmed = link.fetch_one(link.sql.confirmed_factor, &[account.into()]).await?;
        if confirmed.is_some() { Ok(End::RollBack(false)) } else { Err(Fault::Raced) }
    }
}

/// Let an authenticator count, and give the account its recovery codes.
struct Confirm<'a> {
    step: &'a Step<'a>,
    codes: &'a [String],
    now: Timestamp,
}

#[async_trait]
impl Act for Confirm<'_> {
    type Answer = bool;

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        let (step, now) = (self.step, self.now);
        let values = [now.into(), step.number.into(), now.into(), now.into(), step.account.into(), step.sealed.into()];
        if link.execute(link.sql.confirm_factor, &values).await? == 0 {
            return Ok(End::RollBack(false));
        }
        replace(link, step.account, self.codes).await?;
        Ok(End::Commit(true))
    }
}

struct Remove<'a>(&'a AccountId);

#[async_trait]
impl Act for Remove<'_> {
    type Answer = bool;

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        let removed = link.execute(link.sql.remove_factor, &[self.0.into()]).await? > 0;
        link.execute(link.sql.delete_codes, &[self.0.into()]).await?;
        Ok(End::Commit(removed))
    }
}

/// Use a recovery code up by deleting it: one of all who try deletes a row.
struct UseUp<'a> {
    account: &'a AccountId,
    code: &'a str,
}

#[async_trait]
impl Act for UseUp<'_> {
    type Answer = Option<u32>;

    async fn run(&self, link: &mut Link) -> Result<End<Option<u32>>, Fault> {
        if link.execute(link.sql.use_code, &[self.account.into(), self.code.into()]).await? == 0 {
            return Ok(End::RollBack(None));
        }
        let row = link.fetch_one(link.sql.codes_left, &[self.account.into()]).await?.ok_or(Fault::Raced)?;
        Ok(End::Commit(Some(count(&row)?)))
    }
}

/// Put new recovery codes in the place of the old. The authenticator comes first, which locks it: of two at once, the second
/// sees the codes of the first.
struct Renew<'a> {
    account: &'a AccountId,
    codes: &'a [String],
    now: Timestamp,
}

#[async_trait]
impl Act for Renew<'_> {
    type Answer = bool;

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        if link.execute(link.sql.remake_codes, &[self.now.into(), self.account.into()]).await? == 0 {
            return Ok(End::RollBack(false));
        }
        replace(link, self.account, self.codes).await?;
        Ok(End::Commit(true))
    }
}

async fn replace(link: &mut Link, account: &AccountId, codes: &[String]) -> Result<(), Fault> {
    link.execute(link.sql.delete_codes, &[account.into()]).await?;
    for code in codes {
        link.execute(link.sql.add_code, &[account.into(), code.into()]).await?;
    }
    Ok(())
}

fn factor(row: &Row) -> Result<Factor, Fault> {
    Ok(Factor {
        sealed: row.text("sealed")?,
        enrolled_at: row.time("enrolled_at")?,
        confirmed_at: row.time_or_none("confirmed_at")?,
        last_used_at: row.time_or_none("last_used_at")?,
        recovery_codes: count(row)?,
    })
}

fn count(row: &Row) -> Result<u32, Fault> {
    u32::try_from(row.int("codes")?).map_err(|_| Fault::Corrupt("codes"))
}
