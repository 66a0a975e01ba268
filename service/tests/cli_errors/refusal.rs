//! The one checker of a refusal.

use crate::run::{Folder, Run, hourly, wave};

/// Runs a call that is the user's mistake: exit code 2, a message with all of `parts`, nothing on standard
/// output, and every file as it was.
pub(crate) fn refused(folder: &Folder, arguments: &str, parts: &[&str]) -> Run {
    let before = folder.contents();
    let run = folder.run(arguments);
    assert_eq!(run.code, Some(2), "{arguments}: {}", run.stderr);
    for part in parts {
        assert!(run.stderr.contains(part), "{arguments}: {:?} does not say {part:?}", run.stderr);
    }
    // The remark on the data may stand before it.
    let is_said = run.stderr.starts_with("error: ") || run.stderr.contains("\nerror: ");
    assert!(is_said, "{arguments}: {:?} is not marked as an error", run.stderr);
    assert!(!run.stderr.contains("panicked") && !run.stderr.contains("report it"), "{}", run.stderr);
    assert_eq!(run.text(), "", "{arguments} wrote to standard output");
    let after = folder.contents();
    assert!(before == after, "{arguments} changed the folder: {:?}", folder.names());
    run
}

/// A folder with `load.csv`, 600 hours, and a model of it with order 24 and horizon 24.
pub(crate) fn fitted(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("load.csv", hourly(&wave(600, 1)));
    folder.run("fit --order 24 --horizon 24 load.csv -o load.longcast").succeeded();
    folder
}
