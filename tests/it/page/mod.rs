//! What a person does in a browser.

mod demo;
