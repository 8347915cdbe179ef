//! What every call may be refused with, and what each refusal looks like: said once, not beside each
//! handler.

use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::{Content, Ref, RefOr, Response};
use utoipa::{Modify, ToSchema};

use crate::problem::FieldError;

/// Problem details (RFC 9457): what is wrong, and what to do.
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "describes what `problem` writes")]
pub(crate) struct ProblemText {
    /// Always `about:blank`: the status says what kind of problem it is.
    r#type: String,
    /// The status in words.
    title: String,
    /// The status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// For people.
    detail: String,
    /// A word to tell this problem by, where there is one: `disabled`, `queue_full`, …
    #[schema(nullable = false)]
    code: Option<String>,
    /// What is wrong with which argument or key.
    #[schema(nullable = false)]
    errors: Option<Vec<FieldError>>,
    /// Names a failure of the server in its log.
    #[schema(nullable = false)]
    request: Option<String>,
}

/// Of every call.
const ALWAYS: [(&str, &str); 7] = [
    (
        "400",
        "The request cannot be read, or has a session cookie and a token.",
    ),
    ("401", "No session and no good token."),
    (
        "403",
        "A browser sent a token, or the request comes from another site.",
    ),
    ("414", "The address is too long."),
    ("431", "The head of the request is too large."),
    (
        "429",
        "Too many wrong tokens came from this address; `Retry-After` says when to try again.",
    ),
    (
        "503",
        "The server cannot answer at the moment; `Retry-After` says when to try again.",
    ),
];

/// Said in plain text by the front, before it knows which call it is.
pub(super) const BEFORE_ROUTING: [&str; 2] = ["414", "431"];

/// Of calls that change something.
const OF_CHANGES: [(&str, &str); 4] = [
    ("408", "The body did not arrive in time."),
    ("413", "The body is too large."),
    (
        "429",
        "The requests of this connection are too large for so many at once.",
    ),
    ("507", "The disk is full. Nothing was changed."),
];

/// Adds them, and gives every refusal its content.
pub(super) struct Refusals;

impl Modify for Refusals {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        for path in openapi.paths.paths.values_mut() {
            let changes = path.post.iter_mut().map(|call| (call, true));
            for (call, changes) in path.get.iter_mut().map(|call| (call, false)).chain(changes) {
                add(call, &ALWAYS);
                if changes {
                    add(call, &OF_CHANGES);
                }
                describe(call);
            }
        }
    }
}

/// What a handler says by itself is more exact, and stays.
fn add(call: &mut Operation, refusals: &[(&str, &str)]) {
    for (status, description) in refusals {
        let responses = &mut call.responses.responses;
        responses
            .entry((*status).to_owned())
            .or_insert_with(|| RefOr::T(Response::new(*description)));
    }
}

fn describe(call: &mut Operation) {
    for (status, response) in &mut call.responses.responses {
        let is_refusal = status.starts_with(['4', '5']);
        if let RefOr::T(response) = response
            && is_refusal
        {
            let (kind, schema) = if BEFORE_ROUTING.contains(&status.as_str()) {
                ("text/plain", RefOr::from(Object::with_type(Type::String)))
            } else {
                let problem = Ref::from_schema_name("Problem");
                ("application/problem+json", RefOr::Ref(problem))
            };
            let content = Content::new(Some(schema));
            response.content.insert(kind.to_owned(), content.into());
        }
    }
}
