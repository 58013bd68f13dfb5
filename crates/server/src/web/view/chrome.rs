//! What every page shares: who looks at it, the menu, the theme, and the notice after an action.

use askama::Template;
use domain::access::{Grant, Permission, Role};

use crate::web::{
    assets,
    icons::{self, Icon},
    view::part::Tone,
};

/// The page that opens after sign-in.
#[must_use]
pub fn home_of(role: Role) -> &'static str {
    match role {
        Role::Administrator | Role::PolicyAuthor | Role::ReportReader | Role::Auditor => "/admin",
        Role::HelpDeskAdministrator | Role::HelpDeskUser => "/helpdesk",
        Role::SelfService => "/selfservice",
    }
}

/// How the page is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// As the system prefers.
    #[default]
    Auto,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    /// The value of `data-bs-theme` and of the cookie.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads the cookie; anything unknown means the system's preference.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::Auto,
        }
    }
}

/// The person who is signed in.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// Account name.
    pub name: String,
    /// Decides the menu.
    pub grant: Grant,
}

impl Viewer {
    /// The role as shown to people.
    #[must_use]
    pub fn role_label(&self) -> &'static str {
        self.grant.role.label()
    }

    /// Up to two letters for the round badge.
    #[must_use]
    pub fn initials(&self) -> String {
        let bare = self.name.rsplit('\\').next().unwrap_or(&self.name);
        let mut words = bare.split(['.', ' ', '-', '_']).filter_map(|word| word.chars().next());
        let first = words.next().into_iter();
        first.chain(words.next_back()).flat_map(char::to_uppercase).collect()
    }
}

/// A sentence at the top of a page about what was just done.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Colour and icon.
    pub tone: Tone,
    /// The sentence.
    pub text: String,
}

/// Pages in the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `/admin`.
    Dashboard,
    /// `/admin/devices` and below.
    Devices,
    /// `/admin/policies` and below.
    Policies,
    /// `/admin/collections` and below.
    Collections,
    /// `/admin/exemptions`.
    Exemptions,
    /// `/admin/enrolment`.
    Enrolment,
    /// `/admin/accounts`.
    Accounts,
    /// `/admin/api-tokens`.
    ApiTokens,
    /// `/helpdesk`.
    Recovery,
    /// `/selfservice`.
    SelfService,
    /// `/admin/audit`.
    Audit,
    /// `/account`.
    Account,
    /// Not in the menu.
    Elsewhere,
}

/// One entry of the menu.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Address.
    pub href: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// Beside the label.
    pub icon: Icon,
    /// Whether the page belongs to it.
    pub current: bool,
}

/// Entries under a heading.
#[derive(Debug, Clone)]
pub struct Group {
    /// The heading.
    pub title: &'static str,
    /// At least one entry.
    pub entries: Vec<Entry>,
}

/// What every page shares.
#[derive(Debug, Clone)]
pub struct Chrome {
    /// Nobody on the sign-in page.
    pub viewer: Option<Viewer>,
    /// Light, dark or the system's.
    pub theme: Theme,
    /// Goes into every form.
    pub csrf: String,
    /// Marks the menu entry.
    pub place: Place,
    /// Path of this page, where the theme form comes back to.
    pub path: String,
    /// What was just done.
    pub notice: Option<Notice>,
}

impl Chrome {
    /// Address of the style sheet.
    #[must_use]
    pub fn style(&self) -> &'static str {
        assets::SITE_CSS
    }

    /// Address of the brand mark.
    #[must_use]
    pub fn mark(&self) -> &'static str {
        assets::FAVICON
    }

    /// The hidden field that proves that a form came from this session.
    #[must_use]
    pub fn token(&self) -> CsrfField<'_> {
        CsrfField { token: &self.csrf }
    }

    /// Whether the viewer's role and scope allow it.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.viewer
            .as_ref()
            .is_some_and(|viewer| viewer.grant.allows(permission))
    }

    /// Whether the viewer may rotate keys.
    #[must_use]
    pub fn may_manage_devices(&self) -> bool {
        self.may(Permission::ManageDevices)
    }

    /// Whether the viewer may change policy.
    #[must_use]
    pub fn may_manage_policy(&self) -> bool {
        self.may(Permission::ManagePolicy)
    }

    /// Whether the viewer may ask for a recovery password of any device.
    #[must_use]
    pub fn may_recover(&self) -> bool {
        self.may(Permission::RecoverNamedDrive)
    }

    /// Whether the viewer may see pages of devices.
    #[must_use]
    pub fn may_read_devices(&self) -> bool {
        self.may(Permission::ReadDevices)
    }

    /// Whether the viewer may read the audit.
    #[must_use]
    pub fn may_read_audit(&self) -> bool {
        self.may(Permission::ReadAudit)
    }

    /// Whether the viewer has a menu at all.
    #[must_use]
    pub fn has_menu(&self) -> bool {
        self.may(Permission::ReadDevices) || self.may(Permission::RecoverNamedDrive)
    }

    /// Where the brand mark leads.
    #[must_use]
    pub fn home(&self) -> &'static str {
        self.viewer
            .as_ref()
            .map_or("/login", |viewer| home_of(viewer.grant.role))
    }

    /// The menu that the viewer's role allows.
    #[must_use]
    pub fn menu(&self) -> Vec<Group> {
        MENU.iter()
            .map(|(title, entries)| Group {
                title,
                entries: entries
                    .iter()
                    .filter(|(_, _, _, _, permission)| self.may(*permission))
                    .map(|&(place, href, label, icon, _)| Entry {
                        href,
                        label,
                        icon,
                        current: place == self.place,
                    })
                    .collect(),
            })
            .filter(|group| !group.entries.is_empty())
            .collect()
    }
}

type Row = (Place, &'static str, &'static str, Icon, Permission);

const MENU: &[(&str, &[Row])] = &[
    (
        "Fleet",
        &[
            (
                Place::Dashboard,
                "/admin",
                "Dashboard",
                icons::LAYOUT_DASHBOARD,
                Permission::ReadReports,
            ),
            (
                Place::Devices,
                "/admin/devices",
                "Devices",
                icons::DEVICES,
                Permission::ReadDevices,
            ),
            (
                Place::Policies,
                "/admin/policies",
                "Policies",
                icons::ADJUSTMENTS,
                Permission::ReadPolicy,
            ),
            (
                Place::Collections,
                "/admin/collections",
                "Collections",
                icons::SELECTOR,
                Permission::ReadPolicy,
            ),
            (
                Place::Exemptions,
                "/admin/exemptions",
                "Exemptions",
                icons::SHIELD_LOCK,
                Permission::ReadPolicy,
            ),
        ],
    ),
    (
        "Recovery",
        &[
            (
                Place::Recovery,
                "/helpdesk",
                "Drive recovery",
                icons::LIFEBUOY,
                Permission::RecoverNamedDrive,
            ),
            (
                Place::SelfService,
                "/selfservice",
                "Self-service",
                icons::KEY,
                Permission::RecoverOwnDrive,
            ),
        ],
    ),
    (
        "Oversight",
        &[(
            Place::Audit,
            "/admin/audit",
            "Audit",
            icons::CLIPBOARD_LIST,
            Permission::ReadAudit,
        )],
    ),
    (
        "Settings",
        &[
            (
                Place::Enrolment,
                "/admin/enrolment",
                "Enrolment",
                icons::TICKET,
                Permission::ManageEnrolment,
            ),
            (
                Place::Accounts,
                "/admin/accounts",
                "Accounts",
                icons::USERS,
                Permission::ManageAccounts,
            ),
            (
                Place::ApiTokens,
                "/admin/api-tokens",
                "API tokens",
                icons::KEY,
                Permission::ManageAccounts,
            ),
        ],
    ),
];

/// The hidden field with the token against forged requests.
#[derive(Debug, Template)]
#[template(source = r#"<input type="hidden" name="csrf" value="{{ token }}">"#, ext = "html")]
pub struct CsrfField<'a> {
    token: &'a str,
}

impl askama::filters::HtmlSafe for CsrfField<'_> {}
