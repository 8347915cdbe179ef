//! Who is answered what, by class of access and of protection. Written by hand.

use super::places::{Class, Kind, Place};

/// Who sends the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Anonymous,
    /// Signed in; no script gives this user anything.
    Ungranted,
    /// Signed in, of the group that may run the scripts.
    Granted,
    Admin,
    /// An administrator who gave the password long ago.
    Unconfirmed,
    /// A program of somebody of that group.
    Token,
    /// A program of somebody whom no script gives anything.
    UngrantedToken,
    /// A session of an administrator who was disabled meanwhile.
    Disabled,
    /// A token of an administrator who was disabled meanwhile.
    DisabledToken,
}

impl Who {
    pub const ALL: [Self; 9] = [
        Self::Anonymous,
        Self::Ungranted,
        Self::Granted,
        Self::Admin,
        Self::Unconfirmed,
        Self::Token,
        Self::UngrantedToken,
        Self::Disabled,
        Self::DisabledToken,
    ];

    fn has_session(self) -> bool {
        matches!(
            self,
            Self::Ungranted | Self::Granted | Self::Admin | Self::Unconfirmed
        )
    }

    fn has_token(self) -> bool {
        matches!(self, Self::Token | Self::UngrantedToken)
    }
}

/// The one-time token that comes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Csrf {
    Right,
    None,
    Wrong,
    Replayed,
    OtherSession,
    OtherUser,
    Expired,
    HeaderAndFormDiffer,
    /// The right token in a body that no form and no script of ours sends.
    WrongType,
}

impl Csrf {
    pub const ALL: [Self; 9] = [
        Self::Right,
        Self::None,
        Self::Wrong,
        Self::Replayed,
        Self::OtherSession,
        Self::OtherUser,
        Self::Expired,
        Self::HeaderAndFormDiffer,
        Self::WrongType,
    ];
}

/// The status, or nothing where the question has no sense.
pub fn answer_to(place: &Place, who: Who, state: Csrf) -> Option<u16> {
    if let Some(refused) = not_let_in(place.class, who) {
        return Some(refused);
    }
    if place.is_hidden_first && is_hidden(place, who) {
        return Some(404);
    }
    if place.kind != Kind::Read
        && let Some(refused) = not_from_here(place, who, state)?
    {
        return Some(refused);
    }
    if place.is_for_sessions && who.has_token() {
        return Some(400);
    }
    Some(if is_hidden(place, who) {
        404
    } else {
        place.works
    })
}

/// By class of access:       anonymous  ungranted  granted  admin  tokens  disabled
#[rustfmt::skip]
fn not_let_in(class: Class, who: Who) -> Option<u16> {
    let [anonymous, ungranted, granted, admin, token, disabled] = match class {
        Class::Public                   => [None, None, None, None, None, None],
        Class::Page | Class::Confirmed  => [Some(303), None, None, None, Some(303), Some(303)],
        Class::Api                      => [Some(401), None, None, None, None, Some(401)],
        Class::Admin | Class::AdminConfirmed
                                        => [Some(303), Some(404), Some(404), None, Some(303), Some(303)],
        Class::AdminApi                 => [Some(401), Some(404), Some(404), None, Some(404), Some(401)],
    };
    match who {
        Who::Anonymous => anonymous,
        Who::Ungranted => ungranted,
        Who::Granted => granted,
        Who::Admin | Who::Unconfirmed => admin,
        Who::Token | Who::UngrantedToken => token,
        Who::Disabled | Who::DisabledToken => disabled,
    }
}

/// By state of the protection, for who was let in. The outer nothing: it has no sense.
#[expect(clippy::option_option, reason = "no sense, no refusal, a refusal")]
fn not_from_here(place: &Place, who: Who, state: Csrf) -> Option<Option<u16>> {
    let asks_for_the_password = matches!(place.class, Class::Confirmed | Class::AdminConfirmed);
    let refused = match (place.kind, state) {
        (Kind::Form, Csrf::WrongType) => Some(415),
        _ if asks_for_the_password && who == Who::Unconfirmed => Some(403),
        // What a browser reports needs none, and a program's token is no cookie.
        (_, Csrf::Right) => None,
        (Kind::Report, _) | (Kind::Json, Csrf::HeaderAndFormDiffer) => return None,
        (Kind::Json, Csrf::WrongType) if place.body.is_empty() => return None,
        (Kind::Json, Csrf::WrongType) => Some(415),
        (Kind::Json, _) if who.has_token() => return None,
        // A form sent twice, or a request repeated, leads to the run that it started.
        (_, Csrf::Replayed) if place.starts_a_run && !is_hidden(place, who) => Some(303),
        // Nobody is signed in any more, which is what was wanted.
        (_, Csrf::Replayed) if place.ends_the_session => Some(303),
        _ => Some(403),
    };
    // The log-in and the setup page have a session of their own, and tests of their own.
    if place.is_before_the_sign_in {
        return None;
    }
    let knows = who.has_session() || who.has_token();
    assert!(
        knows || place.kind == Kind::Report,
        "{} {who:?}",
        place.route
    );
    Some(refused)
}

/// What one may not see does not exist.
fn is_hidden(place: &Place, who: Who) -> bool {
    place.is_about_a_script && matches!(who, Who::Ungranted | Who::UngrantedToken | Who::Anonymous)
}
