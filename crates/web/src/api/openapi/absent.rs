//! A key of a query or a header that may be left out is described as one that need not be there, not
//! as one that may be null: an address has no null.

use utoipa::Modify;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::schema::{Schema, SchemaType, Type};

pub(super) struct Absent;

impl Modify for Absent {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        for path in openapi.paths.paths.values_mut() {
            let calls = [&mut path.get, &mut path.post].into_iter().flatten();
            for parameter in calls.flat_map(parameters) {
                without_null(parameter);
            }
        }
    }
}

fn parameters(call: &mut Operation) -> impl Iterator<Item = &mut Parameter> {
    let all = call.parameters.iter_mut().flatten();
    all.filter_map(|parameter| match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    })
}

fn without_null(parameter: &mut Parameter) {
    if let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema
        && let SchemaType::Array(kinds) = &schema.schema_type
        && let Some(kind) = kinds.iter().find(|kind| **kind != Type::Null)
    {
        schema.schema_type = SchemaType::Type(kind.clone());
    }
}
