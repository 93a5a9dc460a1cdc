//! Completions in real shells, and the manual in a real reader.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::folder;
use crate::support::gateway::command;

/// What `program` prints when it is given this text.
fn fed(program: &str, arguments: &[&str], text: &str) -> (bool, String, String) {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"));
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    let done = child.wait_with_output().expect("it ends");
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.success(), words(&done.stdout), words(&done.stderr))
}

fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn script(shell: &str) -> String {
    let (code, script, complaint) = command(&["completions", shell], &[]);
    assert_eq!((code, complaint.as_str()), (0, ""));
    script
}

/// What bash offers for a line that ends where the cursor stands.
fn offered(line: &[&str]) -> Vec<String> {
    let words: Vec<String> = line.iter().map(|word| format!("'{word}'")).collect();
    let (last, before) = (line.len() - 1, line.len().saturating_sub(2));
    let asked = format!(
        "{}\nCOMP_WORDS=({})\nCOMP_CWORD={last}\n_doorward doorward \"${{COMP_WORDS[{last}]}}\" \"${{COMP_WORDS[{before}]}}\"\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        script("bash"),
        words.join(" ")
    );
    let (done, printed, complaint) = fed("bash", &["--norc", "-s"], &asked);
    assert!(done, "{complaint}");
    printed.lines().map(str::to_owned).collect()
}

#[test]
fn bash_finishes_commands_and_options() {
    assert_eq!(fed("bash", &["-n"], &script("bash")), (true, String::new(), String::new()));
    let commands = offered(&["doorward", ""]);
    for expected in ["serve", "check", "explain", "account", "completions", "man"] {
        assert!(commands.iter().any(|command| command == expected), "{expected} is not in {commands:?}");
    }
    assert_eq!(offered(&["doorward", "expl"]), ["explain"]);
    assert!(offered(&["doorward", "account", ""]).contains(&"disable".to_owned()));
    assert_eq!(offered(&["doorward", "explain", "--sec"]), ["--second-factor"]);
    assert_eq!(offered(&["doorward", "snippet", "n"]), ["nginx"]);
}

#[test]
fn the_other_shells_read_their_scripts() {
    let (zsh, fish) = (script("zsh"), script("fish"));
    assert!(zsh.starts_with("#compdef doorward"), "{zsh}");
    assert!(fish.contains("complete -c doorward"), "{fish}");
    for (shell, script) in [("zsh", &zsh), ("fish", &fish)].into_iter().filter(|(shell, _)| has(shell)) {
        let (read, _, complaint) = fed(shell, &["-n"], script);
        assert!(read, "{shell}: {complaint}");
    }
    assert_eq!(command(&["completions", "tcsh"], &[]).0, 2);
}

#[test]
fn the_manual_is_read_without_a_warning() {
    let (code, page, complaint) = command(&["man"], &[]);
    assert_eq!((code, complaint.as_str()), (0, ""));
    assert!(page.contains(".TH doorward 1") && page.contains("explain"), "{page}");
    if has("groff") {
        let (read, text, complaint) = fed("groff", &["-man", "-Tutf8", "-ww", "-z"], &page);
        assert!(read && text.is_empty() && complaint.is_empty(), "{complaint}");
    }
    if has("mandoc") {
        let (read, findings, _) = fed("mandoc", &["-T", "lint", "-W", "warning"], &page);
        assert!(read, "{findings}");
    }
    if has("man") {
        let folder = folder::new("man");
        let file = folder.path().join("doorward.1");
        std::fs::write(&file, &page).unwrap();
        let shown = Command::new("man").args(["-l", file.to_str().unwrap()]).env("MANPAGER", "cat").env("PAGER", "cat").output().unwrap();
        let text = String::from_utf8_lossy(&shown.stdout);
        // A container may have a `man` that only says that there are no manuals.
        assert!(text.contains("doorward") || text.contains("minimized"), "{text}");
    }
}

#[test]
fn every_command_has_a_page() {
    let folder = folder::new("man");
    let target = folder.path().join("man1");

    assert_eq!(command(&["man", "--to", target.to_str().unwrap()], &[]).0, 0);

    let names: Vec<String> = std::fs::read_dir(&target).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    for expected in ["doorward.1", "doorward-serve.1", "doorward-explain.1", "doorward-account-add.1", "doorward-key-rotate.1"] {
        assert!(names.iter().any(|name| name == expected), "{expected} is not in {names:?}");
    }
}
