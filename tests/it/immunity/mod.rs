//! What broke others must not break us: tests named after published advisories. Each takes an advisory's mechanism, not its
//! letter, and tries it on the real program.
//!
//! `docs/immunity.md` is the table of them; `table` keeps it equal to what stands here.

mod a_headers;
mod b_forward_auth;
mod b_forwarded;
mod c_paths;
mod d_apps;
mod d_keys;
mod d_sessions;
mod d_tokens;
mod e_addresses;
mod e_answers;
mod e_codes;
mod e_factors;
mod endpoints;
mod f_admin;
mod f_compare;
mod f_log;
mod f_pages;
mod f_redirects;
mod f_webhooks;
pub mod factors;
mod g_floors;
mod g_http1;
mod g_http2;
mod g_outages;
mod g_tls;
mod table;
