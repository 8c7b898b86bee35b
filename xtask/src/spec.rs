//! Checks that each clause of the spec that is built is cited by a test: `// spec: D4, L10`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::shell::Shell;

const CLAUSES: &str = include_str!("../clauses.txt");
/// The folders that hold tests, of whichever language.
const FOLDERS: [&str; 5] = ["crates", "web", "demo", "tests", "xtask"];

/// A chapter's letter and a number in it: D4.
type Clause = (char, u16);

/// Prints how many clauses are cited, and fails if one isn't.
pub(crate) fn check(shell: &Shell) -> Result<()> {
    let wanted = listed(CLAUSES)?;
    let mut cited = BTreeSet::new();
    for folder in FOLDERS.map(Path::new) {
        if shell.path(folder).is_dir() {
            read_folder(shell, folder, &mut cited)?;
        }
    }
    let uncited: Vec<String> = wanted.difference(&cited).map(|(letter, number)| format!("{letter}{number}")).collect();
    println!("{} of {} clauses are cited by a test", wanted.len() - uncited.len(), wanted.len());
    if !uncited.is_empty() {
        bail!("no test cites {}: name it above one, as in `// spec: {}`", uncited.join(" "), uncited[0]);
    }
    Ok(())
}

/// The clauses of a list like `L1..L11 L13`, where `#` begins a comment.
fn listed(list: &str) -> Result<BTreeSet<Clause>> {
    let mut clauses = BTreeSet::new();
    let lines = list.lines().map(|line| line.split('#').next().unwrap_or_default());
    for word in lines.flat_map(str::split_whitespace) {
        let (first, last) = word.split_once("..").unwrap_or((word, word));
        let bounds = clause(first).zip(clause(last));
        let ((letter, from), (other, to)) = bounds.with_context(|| format!("`{word}` names no clause"))?;
        if letter != other || from > to {
            bail!("`{word}` is no range");
        }
        clauses.extend((from..=to).map(|number| (letter, number)));
    }
    Ok(clauses)
}

/// Reads a folder, named from the root: where the tree itself lies is no matter.
fn read_folder(shell: &Shell, folder: &Path, cited: &mut BTreeSet<Clause>) -> Result<()> {
    let unreadable = |path: &Path| format!("{} can't be read", path.display());
    for entry in fs::read_dir(shell.path(folder)).with_context(|| unreadable(folder))? {
        let entry = entry?;
        let name = entry.file_name();
        let path = folder.join(&name);
        if entry.file_type()?.is_dir() {
            if name != "node_modules" && name != "target" {
                read_folder(shell, &path, cited)?;
            }
        } else if matches!(path.extension().and_then(|end| end.to_str()), Some("rs" | "js" | "mjs" | "ts")) {
            let text = fs::read_to_string(entry.path()).with_context(|| unreadable(&path))?;
            cite(test_part(&path, &text), cited);
        }
    }
    Ok(())
}

/// What of a file is tests: all of a test file, and of others what comes after `#[cfg(test)]`.
fn test_part<'a>(path: &Path, text: &'a str) -> &'a str {
    let in_folder = path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "test");
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if in_folder || name == "tests.rs" || name.contains(".test.") {
        return text;
    }
    text.find("\n#[cfg(test)]").map_or("", |at| &text[at..])
}

fn cite(text: &str, cited: &mut BTreeSet<Clause>) {
    for after in text.lines().filter_map(|line| line.split_once("spec: ")).map(|(_, after)| after) {
        let words = after.split([',', ' ', ';', '.', ':', '(', ')', '/']).filter(|word| !word.is_empty());
        cited.extend(words.map_while(clause));
    }
}

fn clause(word: &str) -> Option<Clause> {
    let mut letters = word.chars();
    let letter = letters.next().filter(char::is_ascii_uppercase)?;
    letters.as_str().parse().ok().map(|number| (letter, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_clauses_and_ranges() {
        let clauses = listed("# a chapter\nL1..L3 L13 # and a reason\n").unwrap();
        assert_eq!(clauses, BTreeSet::from([('L', 1), ('L', 2), ('L', 3), ('L', 13)]));
        assert!(listed("L3..L1").is_err());
        assert!(listed("L1..D2").is_err());
        assert!(listed("hello").is_err());
        assert!(!listed(CLAUSES).unwrap().is_empty());
    }

    #[test]
    fn a_citation_ends_at_the_first_word_that_is_no_clause() {
        let mut cited = BTreeSet::new();
        // In two pieces, or this line would be a citation itself.
        cite(&["// spec", ": Q4, Q10 as Q11 has it\n", "spec", ": Z2 and Z3"].concat(), &mut cited);
        assert_eq!(cited, BTreeSet::from([('Q', 4), ('Q', 10), ('Z', 2)]));
    }

    #[test]
    fn only_tests_cite() {
        let text = "// the rule\n#[cfg(test)]\nmod tests {}";
        assert_eq!(test_part(Path::new("crates/core/src/call/mod.rs"), text), "\n#[cfg(test)]\nmod tests {}");
        assert_eq!(test_part(Path::new("crates/core/src/call/mod.rs"), "// the rule"), "");
        assert_eq!(test_part(Path::new("crates/core/tests/table.rs"), "// the rule"), "// the rule");
        assert_eq!(test_part(Path::new("web/device.test.js"), "// the rule"), "// the rule");
    }
}
