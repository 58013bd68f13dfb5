//! What the templates render: plain values, one file per page. Handlers fill them; nothing here reads a store or a clock.

pub mod account;
pub mod accounts;
pub mod api_tokens;
pub mod audit;
pub mod chart;
pub mod chrome;
pub mod dashboard;
pub mod device;
pub mod devices;
pub mod enrolment;
pub mod error;
pub mod form;
pub mod helpdesk;
pub mod login;
pub mod part;
pub mod policy;
pub mod selfservice;
pub mod sheet;
