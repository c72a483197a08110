//! From files, directories and standard input to the text of manifests.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use berth::manifests::{MAX_SOURCE_BYTES, Place, Problem, Source};

/// What a directory is searched for, as by kubectl.
const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];
/// Of all sources together.
const MAX_BYTES: usize = 4 * MAX_SOURCE_BYTES;
/// Files and directories that are looked at below one directory.
const MAX_ENTRIES: usize = 100_000;
/// Directories within each other.
const MAX_DEPTH: usize = 64;

/// The text of every file, each once, in the order in which they were named and by name within a directory; and
/// everything that could not be read. `-` takes standard input, which is there once.
pub fn read(
    paths: &[PathBuf],
    recursive: bool,
    stdin: &mut Option<impl Read>,
) -> (Vec<Source>, Vec<Problem>) {
    let mut reading = Reading { bytes_left: MAX_BYTES, ..Reading::default() };
    for path in paths {
        if path.as_os_str() == "-" {
            match stdin.take() {
                Some(stdin) => reading.stdin(stdin),
                None => reading.problem(path, "standard input can be read only once"),
            }
            continue;
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => reading.directory(path, recursive),
            Ok(_) => reading.file(path),
            Err(error) => reading.problem(path, &cannot_be_read(&error)),
        }
    }
    (reading.sources, reading.problems)
}

/// What has been read so far.
#[derive(Default)]
struct Reading {
    sources: Vec<Source>,
    problems: Vec<Problem>,
    /// Files that were read, by their real names.
    seen: BTreeSet<PathBuf>,
    bytes_left: usize,
}

impl Reading {
    fn problem(&mut self, path: &Path, message: &str) {
        self.problem_at(Place { source: name(path), line: 0, column: 0 }, message);
    }

    fn problem_at(&mut self, place: Place, message: &str) {
        self.problems.push(Problem { place, message: message.to_owned() });
    }

    fn stdin(&mut self, stdin: impl Read) {
        let path = Path::new("-");
        let before = self.sources.len();
        self.text(path, stdin);
        if self.sources.get(before).is_some_and(|source| source.text.trim().is_empty()) {
            self.problem(path, "standard input is empty");
        }
    }

    fn file(&mut self, path: &Path) {
        let real_name = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if !self.seen.insert(real_name) {
            return;
        }
        match File::open(path) {
            Ok(file) => self.text(path, file),
            Err(error) => self.problem(path, &cannot_be_read(&error)),
        }
    }

    fn text(&mut self, path: &Path, from: impl Read) {
        let most = self.bytes_left.min(MAX_SOURCE_BYTES);
        let mut bytes = Vec::new();
        let one_more = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        if let Err(error) = from.take(one_more).read_to_end(&mut bytes) {
            return self.problem(path, &cannot_be_read(&error));
        }
        if bytes.len() > most {
            let message = if most < MAX_SOURCE_BYTES {
                format!("too large: more than {} MiB with the files before it", MAX_BYTES >> 20)
            } else {
                format!("too large: more than {} MiB", MAX_SOURCE_BYTES >> 20)
            };
            return self.problem(path, &message);
        }
        self.bytes_left -= bytes.len();
        match String::from_utf8(bytes) {
            Ok(text) => self.sources.push(Source { name: name(path), text }),
            Err(error) => {
                let (start, _) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
                self.problem_at(end_of(path, start), "not UTF-8 text; save it as UTF-8");
            }
        }
    }

    /// In the order of kubectl: a directory stands where its name stands. Links to directories are not followed,
    /// so that there is an end.
    fn directory(&mut self, root: &Path, recursive: bool) {
        let mut open = vec![(root.to_owned(), 0)];
        let (mut entries, mut directories, mut is_empty) = (0, 0, true);
        while let Some((path, depth)) = open.pop() {
            let is_directory = depth == 0 || fs::symlink_metadata(&path).is_ok_and(|entry| entry.is_dir());
            if !is_directory {
                // Neither a pipe nor a device: those could block for ever.
                if has_extension(&path) && fs::metadata(&path).is_ok_and(|file| file.is_file()) {
                    is_empty = false;
                    self.file(&path);
                }
                continue;
            }
            directories += 1;
            if depth > 0 && !recursive {
                continue;
            }
            let mut within = match list(&path) {
                Ok(within) => within,
                Err(error) => {
                    is_empty = false;
                    self.problem(&path, &cannot_be_read(&error));
                    continue;
                }
            };
            entries += within.len();
            if entries > MAX_ENTRIES || depth == MAX_DEPTH {
                return self.problem(&path, "too many files and directories here; name fewer");
            }
            within.sort_unstable_by(|a, b| b.cmp(a));
            open.extend(within.into_iter().map(|path| (path, depth + 1)));
        }
        if is_empty {
            let advice =
                if directories > 1 && !recursive { "; -R searches the directories in it too" } else { "" };
            self.problem(root, &format!("the directory has no manifests (*.yaml, *.yml, *.json){advice}"));
        }
    }
}

/// One more than are looked at, if there are so many.
fn list(directory: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(directory)?.take(MAX_ENTRIES + 1).map(|entry| Ok(entry?.path())).collect()
}

fn has_extension(path: &Path) -> bool {
    path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known))
}

fn cannot_be_read(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "not found".to_owned(),
        io::ErrorKind::PermissionDenied => "cannot be read: permission denied".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

/// A path as messages name it. A name can have line breaks in it.
fn name(path: &Path) -> String {
    path.display().to_string().replace(char::is_control, "\u{fffd}")
}

/// The place behind these bytes, which are UTF-8.
fn end_of(path: &Path, start: &[u8]) -> Place {
    let start = String::from_utf8_lossy(start);
    let last_line = start.rsplit('\n').next().unwrap_or_default();
    Place { source: name(path), line: 1 + start.matches('\n').count(), column: 1 + last_line.chars().count() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    /// A directory with these files, each with its own name as text.
    fn directory(files: &[&str]) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        directory
    }

    /// The names of sources without their directory, and problems likewise.
    fn read(directory: &TempDir, arguments: &[&str], stdin: &[u8]) -> (Vec<String>, Vec<String>) {
        let root = format!("{}/", directory.path().display());
        let recursive = arguments.contains(&"-R");
        let paths = arguments.iter().filter(|argument| **argument != "-R");
        let paths: Vec<PathBuf> = paths.map(|path| path.replace('@', &root).into()).collect();
        let (sources, problems) = super::read(&paths, recursive, &mut Some(stdin));
        let without_root = |text: String| text.replace(&root, "").replace(root.trim_end_matches('/'), "@");
        (
            sources.into_iter().map(|source| without_root(source.name)).collect(),
            problems.into_iter().map(|problem| without_root(problem.to_string())).collect(),
        )
    }

    #[test]
    fn files_are_read_in_the_order_in_which_they_are_named() {
        let files = directory(&["b.txt", "a.yaml"]);
        let expected = (vec!["b.txt".to_owned(), "-".to_owned(), "a.yaml".to_owned()], vec![]);
        assert_eq!(read(&files, &["@b.txt", "-", "@a.yaml"], b"x"), expected);
        assert_eq!(read(&files, &["@b.txt", "-", "@a.yaml", "@b.txt"], b"x"), expected);
    }

    #[test]
    fn directories_are_searched_by_name_and_only_on_request_below() {
        let files =
            directory(&["c.yml", "a.yaml", "b/x.json", "b/a/y.yaml", "d.json", "e.txt", "f.yaml.bak"]);
        assert_eq!(read(&files, &["@"], b"").0, ["a.yaml", "c.yml", "d.json"]);
        let all = ["a.yaml", "b/a/y.yaml", "b/x.json", "c.yml", "d.json"];
        assert_eq!(read(&files, &["-R", "@"], b""), (all.map(String::from).into(), vec![]));
        assert_eq!(read(&files, &["@b/x.json", "@b", "-R"], b"").0, ["b/x.json", "b/a/y.yaml"]);
    }

    #[test]
    fn links_are_followed_to_files_only_and_every_file_is_read_once() {
        let files = directory(&["data/a.yaml"]);
        symlink(files.path().join("data/a.yaml"), files.path().join("a.yaml")).unwrap();
        symlink(files.path(), files.path().join("data/loop")).unwrap();
        symlink(files.path().join("nowhere"), files.path().join("b.yaml")).unwrap();
        assert_eq!(read(&files, &["-R", "@"], b""), (vec!["a.yaml".to_owned()], vec![]));
        assert_eq!(read(&files, &["@data/loop"], b"").0, ["data/loop/a.yaml"]);
    }

    #[test]
    fn everything_that_cannot_be_read_is_told() {
        let files = directory(&["sub/a.yaml", "deep/b/c.yaml", "none/x.txt", "ok.yaml"]);
        fs::write(files.path().join("sub/latin.yaml"), b"a: 1\nb: \xe4\n").unwrap();
        let arguments = ["@gone.yaml", "@sub", "@deep", "@none", "@ok.yaml", "-", "-", "@ok.yaml/x"];
        let (sources, problems) = read(&files, &arguments, b" \n");
        assert_eq!(sources, ["sub/a.yaml", "ok.yaml", "-"]);
        assert_eq!(
            problems,
            [
                "gone.yaml: not found",
                "sub/latin.yaml:2:4: not UTF-8 text; save it as UTF-8",
                "deep: the directory has no manifests (*.yaml, *.yml, *.json); -R searches the directories in it too",
                "none: the directory has no manifests (*.yaml, *.yml, *.json)",
                "-: standard input is empty",
                "-: standard input can be read only once",
                "ok.yaml/x: cannot be read: Not a directory (os error 20)",
            ]
        );
    }

    #[test]
    fn what_is_read_is_bounded() {
        let files = directory(&["a.yaml"]);
        let mut deep = files.path().join("deep");
        for _ in 0..=MAX_DEPTH {
            deep.push("d");
        }
        fs::create_dir_all(&deep).unwrap();
        let (sources, problems) = read(&files, &["-R", "@"], b"");
        assert_eq!(sources, ["a.yaml"]);
        assert!(problems[0].ends_with("too many files and directories here; name fewer"), "{problems:?}");
        let large = vec![b' '; MAX_SOURCE_BYTES + 1];
        assert_eq!(read(&files, &["-"], &large).1, ["-: too large: more than 64 MiB"]);
        let mut reading = Reading { bytes_left: 3, ..Reading::default() };
        reading.text(Path::new("a"), &b"ab"[..]);
        reading.text(Path::new("b"), &b"ab"[..]);
        assert_eq!(reading.sources.len(), 1);
        assert_eq!(
            reading.problems[0].to_string(),
            "b: too large: more than 256 MiB with the files before it"
        );
    }

    #[test]
    fn a_name_is_one_line() {
        assert_eq!(name(Path::new("a\n\u{1b}b")), "a\u{fffd}\u{fffd}b");
    }

    /// A pipe is no file of a directory: nobody may ever write to it.
    #[test]
    fn a_socket_in_a_directory_is_left_alone() {
        let files = directory(&["a.yaml"]);
        let _socket = std::os::unix::net::UnixListener::bind(files.path().join("b.yaml")).unwrap();
        assert_eq!(read(&files, &["@"], b""), (vec!["a.yaml".to_owned()], vec![]));
    }
}
