//! The whole way of a person, in a real browser: with JavaScript and without, on a phone and on a desk, by mail and by
//! authenticator, in every language.

mod addresses;
mod barriers;
mod camera;
mod comfort;
mod devices;
mod house;
mod keyboard;
mod languages;
mod live;
mod phone;
mod step_up;
mod tour;
mod way;
mod weight;
