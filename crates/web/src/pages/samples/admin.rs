//! The pages of administration and of tokens.

use askama::Template;

use super::super::admin::grants::{ActionBox, GrantRow, GrantsOf, GrantsPage};
use super::super::admin::groups::{Ask, GroupRow, GroupsPage};
use super::super::admin::may::{Choice, MayPage};
use super::super::admin::secrets::{SecretRow, SecretsPage};
use super::super::admin::tokens::AllTokensPage;
use super::super::admin::user::UserPage;
use super::super::admin::users::{UserRow, UsersPage};
use super::super::admin::{AdminPage, Said};
use super::super::password_link::PasswordPage;
use super::super::tokens::{TokenRow, TokensPage};
use super::{shell, when};

fn said(x: &str) -> Said {
    Said {
        bad: Some(x.to_owned()),
        good: Some(x.to_owned()),
    }
}

fn boxes() -> Vec<ActionBox> {
    ActionBox::all(stagedoor_domain::access::Actions::default(), true)
}

fn token(x: &str) -> TokenRow {
    TokenRow {
        id: 1,
        name: x.to_owned(),
        owner: x.to_owned(),
        may: x.to_owned(),
        scripts: x.to_owned(),
        from: x.to_owned(),
        ends: Some(when(x)),
        is_over: false,
        used: Some(when(x)),
        used_from: x.to_owned(),
        exposed: true,
    }
}

fn user(x: &str) -> UserPage {
    UserPage {
        shell: shell(x),
        said: said(x),
        name: x.to_owned(),
        groups: x.to_owned(),
        disabled: false,
        is_external: true,
        made: when(x),
        tokens: 1,
        link: Some(x.to_owned()),
    }
}

fn users(x: &str) -> UsersPage {
    UsersPage {
        shell: shell(x),
        said: said(x),
        rows: vec![UserRow {
            name: x.to_owned(),
            groups: x.to_owned(),
            disabled: true,
            is_external: true,
            made: when(x),
        }],
        name: x.to_owned(),
        groups: x.to_owned(),
    }
}

fn groups(x: &str) -> GroupsPage {
    GroupsPage {
        shell: shell(x),
        said: said(x),
        ask: Some(Ask {
            from: x.to_owned(),
            to: x.to_owned(),
            places: vec![x.to_owned()],
        }),
        rows: vec![GroupRow {
            name: x.to_owned(),
            members: vec![x.to_owned()],
            places: vec![x.to_owned(), format!("`{x}`")],
            is_long: true,
            is_everyone: false,
        }],
        names: vec![x.to_owned()],
    }
}

fn grants(x: &str) -> GrantsPage {
    let row = || GrantRow {
        group: x.to_owned(),
        may: x.to_owned(),
        scripts: x.to_owned(),
        place: x.to_owned(),
        stored: Some(1),
    };
    GrantsPage {
        shell: shell(x),
        said: said(x),
        rows: vec![row()],
        folded: vec![GrantsOf {
            group: x.to_owned(),
            rows: vec![row(), row()],
        }],
        idle: vec![x.to_owned(), format!("`{x}`: {x}")],
        boxes: boxes(),
        group: x.to_owned(),
        scripts: x.to_owned(),
    }
}

fn secrets(x: &str) -> SecretsPage {
    SecretsPage {
        shell: shell(x),
        said: said(x),
        rows: vec![SecretRow {
            name: x.to_owned(),
            set: when(x),
            by: x.to_owned(),
            scripts: vec![x.to_owned(), x.to_owned()],
        }],
        missing: vec![x.to_owned(), format!("`{x}`")],
        name: x.to_owned(),
    }
}

fn may(x: &str) -> MayPage {
    let choice = || {
        vec![Choice {
            word: x.to_owned(),
            chosen: true,
        }]
    };
    MayPage {
        shell: shell(x),
        said: said(x),
        users: choice(),
        actions: choice(),
        scripts: vec![x.to_owned()],
        script: x.to_owned(),
        answer: Some((x.to_owned(), false, x.to_owned())),
    }
}

fn own_tokens(x: &str) -> TokensPage {
    TokensPage {
        shell: shell(x),
        rows: vec![token(x)],
        boxes: boxes(),
        terms: vec![("1d", "1 day", true)],
        name: x.to_owned(),
        scripts: x.to_owned(),
        from: x.to_owned(),
        error: Some(x.to_owned()),
        made: Some(x.to_owned()),
    }
}

pub(super) fn pages(x: &str) -> Vec<(&'static str, String)> {
    let html = |template: askama::Result<String>| template.expect("rendered");
    let all_tokens = AllTokensPage {
        shell: shell(x),
        rows: vec![token(x)],
    };
    let password = PasswordPage {
        shell: shell(x),
        key: x,
        name: x,
        is_external: true,
        error: Some(x),
    };
    vec![
        ("admin.html", html(AdminPage { shell: shell(x) }.render())),
        ("admin_users.html", html(users(x).render())),
        ("admin_user.html", html(user(x).render())),
        ("admin_groups.html", html(groups(x).render())),
        ("admin_grants.html", html(grants(x).render())),
        ("admin_tokens.html", html(all_tokens.render())),
        ("admin_secrets.html", html(secrets(x).render())),
        ("admin_may.html", html(may(x).render())),
        ("account_tokens.html", html(own_tokens(x).render())),
        ("password_link.html", html(password.render())),
    ]
}
