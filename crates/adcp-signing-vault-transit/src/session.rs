//! The token that calls carry: got on first use, renewed before it ends, replaced when it has
//! ended.
//!
//! Nothing runs in the background. The call that finds the token due renews it, while the others go
//! on with the token that still holds; where none holds, one call logs in for all that wait.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use adcp_signing_core::{ProviderError, ProviderErrorKind, provider::toolkit::FetchOnce};
use parking_lot::{Mutex, RwLock};
use reqwest::header::HeaderValue;
use serde::Deserialize;
use vaultrs::api::token::requests::{LookupTokenSelfRequest, RenewTokenSelfRequest};

use crate::{
    Secret, VaultAuth,
    address::configuration,
    auth,
    failure::{Operation, refusal},
    http::{Call, Http, Reply},
    key_description::invalid,
    settings::Settings,
};

/// How long a denial under a token fresh from a login counts as a denial, and not as a token that
/// has ended: a policy that denies would otherwise make every call log in.
const DENIAL_STANDS: Duration = Duration::from_secs(60);
const FORBIDDEN: u16 = 403;

/// Calls to the server under a token that is kept alive.
pub(crate) struct Session {
    pub(crate) http: Http,
    pub(crate) auth: VaultAuth,
    current: RwLock<Arc<Login>>,
}

/// One login and the token that it brought.
#[derive(Default)]
struct Login {
    token: FetchOnce<Token>,
    /// When the token was denied a call although it was new.
    denied: OnceLock<Instant>,
    refreshing: AtomicBool,
}

struct Token {
    header: HeaderValue,
    /// None where the token has no end, or the server does not tell.
    lifetime: Mutex<Option<Lifetime>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lifetime {
    /// What was granted at first; renewals grant less towards the end of the longest life.
    full: Duration,
    ends: Instant,
    refresh_at: Instant,
    renewable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Holds,
    Due,
    Ended,
}

impl Session {
    pub(crate) fn new(http: Http, auth: VaultAuth) -> Self {
        Self { http, auth, current: RwLock::default() }
    }

    /// Sends a call under the token. A 403 is the answer only where a new login does not change it.
    pub(crate) async fn call(&self, call: &Call) -> Result<Reply, ProviderError> {
        let login = self.live_login().await?;
        let token = self.token(&login).await?;
        let reply = self.http.send(call, Some(&token.header)).await?;
        if reply.status != FORBIDDEN || !self.may_be_the_token(&login) {
            return Ok(reply);
        }
        tracing::debug!(auth = self.auth.name(), "the server denied the call; logging in again");
        let fresh = self.replace(&login);
        let fresh_token = self.token(&fresh).await?;
        if fresh_token.header == token.header {
            fresh.denied.get_or_init(Instant::now);
            return Ok(reply);
        }
        let reply = self.http.send(call, Some(&fresh_token.header)).await?;
        if reply.status == FORBIDDEN {
            fresh.denied.get_or_init(Instant::now);
        }
        Ok(reply)
    }

    fn may_be_the_token(&self, login: &Login) -> bool {
        let stands = login.denied.get().is_some_and(|denied| denied.elapsed() < DENIAL_STANDS);
        self.auth.can_log_in_again() && !(stands && self.auth.login_costs())
    }

    async fn token<'a>(&self, login: &'a Login) -> Result<&'a Token, ProviderError> {
        login.token.get_or_fetch(|| self.log_in()).await
    }

    /// The login to use now, renewed or replaced where its token is due.
    async fn live_login(&self) -> Result<Arc<Login>, ProviderError> {
        let login = Arc::clone(&self.current.read());
        let token = self.token(&login).await?;
        match token.state(Instant::now(), self.auth.can_log_in_again()) {
            State::Holds => Ok(login),
            State::Due => {
                let fresh = self.refresh(&login, token).await;
                Ok(fresh.unwrap_or(login))
            }
            State::Ended if self.auth.can_log_in_again() => Ok(self.replace(&login)),
            // The server has the last word, in case the clocks differ.
            State::Ended => Ok(login),
        }
    }

    /// Puts an empty login in the place of `old`, unless another call already has.
    fn replace(&self, old: &Arc<Login>) -> Arc<Login> {
        let mut current = self.current.write();
        if Arc::ptr_eq(&current, old) {
            *current = Arc::default();
        }
        Arc::clone(&current)
    }

    /// Renews the token, or logs in anew where it cannot be renewed. A failure leaves the token
    /// that still holds, and puts the next attempt off.
    async fn refresh(&self, login: &Arc<Login>, token: &Token) -> Option<Arc<Login>> {
        let _alone = Refreshing::begin(&login.refreshing)?;
        let lifetime = (*token.lifetime.lock())?;
        // Also where this call is dropped half-way: the next attempt is not the very next call.
        *token.lifetime.lock() = Some(lifetime.put_off(Instant::now(), false));
        let failure = match lifetime.renewable {
            true => match self.renew(token, lifetime).await {
                Ok(renewed) => {
                    *token.lifetime.lock() = Some(renewed);
                    return None;
                }
                Err(error) => error,
            },
            false => {
                let fresh = Arc::new(Login::default());
                match self.token(&fresh).await {
                    Ok(_) => {
                        let mut current = self.current.write();
                        if Arc::ptr_eq(&current, login) {
                            *current = Arc::clone(&fresh);
                        }
                        return Some(fresh);
                    }
                    Err(error) => error,
                }
            }
        };
        tracing::warn!(auth = self.auth.name(), kind = %failure.kind(), "the token could not be renewed yet");
        let refused = failure.kind() == ProviderErrorKind::AccessDenied;
        *token.lifetime.lock() =
            Some(lifetime.put_off(Instant::now(), refused && self.auth.can_log_in_again()));
        None
    }

    async fn renew(&self, token: &Token, lifetime: Lifetime) -> Result<Lifetime, ProviderError> {
        let asked = Instant::now();
        let reply = self
            .http
            .send(&Call::of(&RenewTokenSelfRequest::default())?, Some(&token.header))
            .await?;
        let granted = read_auth(Operation::Token, &reply)?;
        tracing::debug!(
            auth = self.auth.name(),
            seconds = granted.lease_duration,
            "renewed the token"
        );
        let left = Duration::from_secs(granted.lease_duration);
        Ok(lifetime.renewed(asked, left, granted.renewable, self.auth.can_log_in_again()))
    }

    async fn log_in(&self) -> Result<Token, ProviderError> {
        let asked = Instant::now();
        let (secret, lifetime) = match self.auth.login()? {
            auth::Login::Token(secret) => {
                let lifetime = self.look_up(&secret, asked).await?;
                (secret, lifetime)
            }
            auth::Login::Call(call) => {
                let reply = self.http.send(&call, None).await?;
                let granted = read_auth(Operation::LogIn, &reply)?;
                let lifetime = Lifetime::new(asked, granted.lease_duration, granted.renewable);
                tracing::debug!(
                    auth = self.auth.name(),
                    seconds = granted.lease_duration,
                    "logged in"
                );
                (granted.client_token, lifetime)
            }
        };
        Ok(Token { header: header(&secret, self.auth.settings)?, lifetime: Mutex::new(lifetime) })
    }

    /// How long a token that we were given has to live. Where it may not ask, that is not known.
    async fn look_up(
        &self,
        secret: &Secret,
        asked: Instant,
    ) -> Result<Option<Lifetime>, ProviderError> {
        #[derive(Deserialize)]
        struct Body {
            data: Data,
        }
        #[derive(Deserialize)]
        struct Data {
            ttl: u64,
            #[serde(default)]
            renewable: bool,
        }
        let reply = self
            .http
            .send(
                &Call::of(&LookupTokenSelfRequest {})?,
                Some(&header(secret, self.auth.settings)?),
            )
            .await?;
        match reply.status {
            200 => {
                let Body { data } = serde_json::from_slice(&reply.body).map_err(|_| {
                    invalid("the server's answer about the token is not what this API has")
                })?;
                Ok(Lifetime::new(asked, data.ttl, data.renewable))
            }
            FORBIDDEN => Ok(None),
            _ => Err(refusal(Operation::Token, &reply)),
        }
    }
}

impl Token {
    fn state(&self, now: Instant, can_log_in_again: bool) -> State {
        match *self.lifetime.lock() {
            None => State::Holds,
            Some(lifetime) => lifetime.state(now, can_log_in_again),
        }
    }
}

impl Lifetime {
    /// The server's zero is a token without an end.
    fn new(from: Instant, seconds: u64, renewable: bool) -> Option<Self> {
        let full = Duration::from_secs(seconds);
        let ends = from.checked_add(full)?;
        (seconds > 0).then_some(Self { full, ends, refresh_at: from + full * 2 / 3, renewable })
    }

    fn state(&self, now: Instant, can_log_in_again: bool) -> State {
        if now >= self.ends {
            State::Ended
        } else if now >= self.refresh_at && (self.renewable || can_log_in_again) {
            State::Due
        } else {
            State::Holds
        }
    }

    /// After a renewal. Once the longest life cuts what is granted to less than half, the next
    /// token comes from a login where there can be one.
    fn renewed(
        &self,
        from: Instant,
        left: Duration,
        renewable: bool,
        can_log_in_again: bool,
    ) -> Self {
        let cut = left < self.full / 2;
        let ends = from.checked_add(left).unwrap_or(self.ends);
        let renewable = renewable && !(cut && can_log_in_again);
        Self { full: self.full, ends, refresh_at: from + left.min(self.full) * 2 / 3, renewable }
    }

    /// After a failure: a quarter of what is left until the next attempt, at once by login where
    /// the renewal was refused.
    fn put_off(&self, now: Instant, log_in_instead: bool) -> Self {
        if log_in_instead && self.renewable {
            return Self { renewable: false, ..*self };
        }
        let wait = self.ends.saturating_duration_since(now) / 4;
        Self { refresh_at: now + wait, ..*self }
    }
}

/// Held by the one call that renews.
struct Refreshing<'a>(&'a AtomicBool);

impl<'a> Refreshing<'a> {
    fn begin(flag: &'a AtomicBool) -> Option<Self> {
        (!flag.swap(true, Ordering::AcqRel)).then_some(Self(flag))
    }
}

impl Drop for Refreshing<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

struct Granted {
    client_token: Secret,
    lease_duration: u64,
    renewable: bool,
}

fn read_auth(operation: Operation, reply: &Reply) -> Result<Granted, ProviderError> {
    #[derive(Deserialize)]
    struct Body {
        auth: Auth,
    }
    #[derive(Deserialize)]
    struct Auth {
        client_token: String,
        lease_duration: u64,
        #[serde(default)]
        renewable: bool,
    }
    if reply.status != 200 {
        return Err(refusal(operation, reply));
    }
    let Body { auth } = serde_json::from_slice(&reply.body).map_err(|_| {
        invalid("the server's answer to the login or renewal is not what this API has")
    })?;
    if auth.client_token.is_empty() {
        return Err(configuration(format!(
            "the login ({}) gave no token; does it ask for a second factor?",
            reply.settings.auth_mount()
        )));
    }
    Ok(Granted {
        client_token: auth.client_token.into(),
        lease_duration: auth.lease_duration,
        renewable: auth.renewable,
    })
}

fn header(secret: &Secret, settings: Settings) -> Result<HeaderValue, ProviderError> {
    let mut header = HeaderValue::from_str(secret.expose()).map_err(|_| {
        configuration(format!(
            "the token ({}) holds characters that no token has; is its file the right one?",
            settings.token()
        ))
    })?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn lifetime(from: Instant) -> Lifetime {
        Lifetime::new(from, 60, true).unwrap()
    }

    #[test]
    fn a_token_is_due_at_two_thirds_of_its_life() {
        let from = Instant::now();
        let at = |seconds| from + Duration::from_secs(seconds);
        for (seconds, renewable, can_log_in, state) in [
            (0, true, true, State::Holds),
            (39, true, true, State::Holds),
            (40, true, false, State::Due),
            (40, false, true, State::Due),
            (40, false, false, State::Holds),
            (59, true, true, State::Due),
            (60, true, true, State::Ended),
        ] {
            let lifetime = Lifetime { renewable, ..lifetime(from) };
            assert_eq!(
                lifetime.state(at(seconds), can_log_in),
                state,
                "{seconds} {renewable} {can_log_in}"
            );
        }
        assert_eq!(Lifetime::new(from, 0, true), None, "no end");
        assert_eq!(Lifetime::new(from, u64::MAX, true), None, "as good as no end");
    }

    #[test]
    fn a_renewal_that_is_cut_short_is_the_last_where_a_login_can_follow() {
        let from = Instant::now();
        let first = lifetime(from);
        for (left, can_log_in, renewable) in
            [(60, true, true), (30, true, true), (29, true, false), (29, false, true)]
        {
            let renewed = first.renewed(from + MINUTE, Duration::from_secs(left), true, can_log_in);
            assert_eq!(renewed.renewable, renewable, "{left} {can_log_in}");
            assert_eq!(renewed.ends, from + MINUTE + Duration::from_secs(left));
        }
    }

    #[test]
    fn a_failed_renewal_is_tried_again_before_the_end_and_a_refused_one_by_login_at_once() {
        let from = Instant::now();
        let due = from + Duration::from_secs(40);
        let later = lifetime(from).put_off(due, false);
        assert_eq!(later.refresh_at, due + Duration::from_secs(5));
        assert!(later.renewable);
        let refused = lifetime(from).put_off(due, true);
        assert!(!refused.renewable);
        assert_eq!(refused.state(due, true), State::Due);
    }

    #[test]
    fn a_token_that_no_header_can_hold_is_refused_without_showing_it() {
        let error = header(&Secret::new("hvs.\nX"), Settings::Options).unwrap_err();
        assert_eq!(error.kind(), ProviderErrorKind::Configuration);
        assert!(!format!("{error:?}").contains("hvs"));
        assert_eq!(
            format!("{:?}", header(&Secret::new("hvs.x"), Settings::Options).unwrap()),
            "Sensitive"
        );
    }
}
