use super::*;

#[test]
fn frontier_follows_whatever_order() {
    let artifact = Artifact::memory(100).unwrap();
    for (offset, len, frontier) in [(20, 10, 0), (40, 10, 0), (30, 10, 0), (0, 10, 10), (0, 10, 10)] {
        artifact.mark_verified(offset, len);
        assert_eq!(artifact.frontier(), frontier);
    }
    assert_eq!(artifact.lock().islands, BTreeMap::from([(20, 50)]));
    artifact.mark_verified(10, 10);
    assert_eq!(artifact.frontier(), 50);
    artifact.mark_verified(45, 500);
    assert!(artifact.is_complete());
}

#[test]
fn reader_waits_for_the_frontier_and_ends() {
    let artifact = Artifact::memory(300_000).unwrap();
    let data: Vec<u8> = (0..300_000u32).map(|i| (i % 251) as u8).collect();
    let mut reader = artifact.reader();
    let reading = std::thread::spawn(move || {
        let mut got = Vec::new();
        reader.read_to_end(&mut got).map(|_| got)
    });
    for start in [100_000, 200_000, 0] {
        artifact
            .write_at(start as u64, &data[start..start + 100_000])
            .unwrap();
        artifact.mark_verified(start as u64, 100_000);
    }
    assert_eq!(reading.join().unwrap().unwrap(), data);
    assert!(artifact.wait_complete(Duration::ZERO).unwrap());
}

#[test]
fn failure_reaches_the_reader() {
    let artifact = Artifact::memory(10).unwrap();
    let mut reader = artifact.reader();
    let reading = std::thread::spawn(move || reader.read(&mut [0; 10]));
    artifact.fail(Error::new(Code::ArtifactUnavailable, "nobody has it"));
    artifact.fail(Error::new(Code::Io, "later"));
    let error = reading.join().unwrap().unwrap_err();
    let inner = error.get_ref().unwrap().downcast_ref::<Error>().unwrap();
    assert_eq!(inner.code, Code::ArtifactUnavailable);
    assert!(artifact.wait_complete(Duration::ZERO).is_err());
}

#[test]
fn nothing_is_written_outside() {
    let artifact = Artifact::memory(10).unwrap();
    assert!(artifact.write_at(8, &[1, 2, 3]).is_err());
    assert!(artifact.write_at(u64::MAX, &[1]).is_err());
    assert!(artifact.read_at(9, &mut [0; 2]).is_err());
    artifact.write_at(8, &[1, 2]).unwrap();
    let mut back = [0; 2];
    artifact.read_at(8, &mut back).unwrap();
    assert_eq!(back, [1, 2]);
}

#[test]
fn released_memory_is_gone_and_files_of_others_stay() {
    let artifact = Artifact::memory(1 << 20).unwrap();
    artifact.write_at(0, &[1; 1 << 20]).unwrap();
    assert_eq!(artifact.private_bytes(), 1 << 20);
    let blocks = || rustix::fs::fstat(artifact.fd()).unwrap().st_blocks;
    assert_eq!(blocks(), (1 << 20) / 512);
    artifact.release();
    assert_eq!(blocks(), 0);
    assert!(artifact.read_at(0, &mut [0; 1]).is_err());

    let path = std::env::temp_dir().join(format!("bootswarm-release-{}", std::process::id()));
    let file = Artifact::file(&path, 5).unwrap();
    file.release();
    assert_eq!(
        (file.private_bytes(), std::fs::metadata(&path).unwrap().len()),
        (0, 5)
    );
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn files_are_made_and_opened() {
    let dir = std::env::temp_dir().join(format!("bootswarm-store-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("a");
    let made = Artifact::file(&path, 5).unwrap();
    made.write_at(0, b"hello").unwrap();
    let opened = Artifact::existing(&path).unwrap();
    assert_eq!(opened.size_bytes(), 5);
    opened.mark_verified(0, 5);
    let mut text = String::new();
    opened.reader().read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
    assert_eq!(Artifact::existing(&dir.join("none")).unwrap_err().code, Code::Io);
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_named_artifact_shares_its_memory_with_its_file_and_outlives_the_name() {
    let dir = std::env::temp_dir().join(format!("bootswarm-link-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let artifact = Artifact::unnamed(&dir, 5).unwrap();
    artifact.write_at(0, b"hello").unwrap();
    assert_eq!(
        (artifact.private_bytes(), std::fs::read_dir(&dir).unwrap().count()),
        (5, 0)
    );
    let path = dir.join("a");
    assert!(artifact.link(&path));
    assert!(!artifact.link(&path), "the name is taken");
    assert_eq!(artifact.private_bytes(), 0);
    assert_eq!(std::fs::read(&path).unwrap(), b"hello");
    use std::os::unix::fs::MetadataExt;
    let own = rustix::fs::fstat(artifact.fd()).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().ino(), own.st_ino);

    // Where there is no such file system it is memory, which has no name to get.
    let memory = Artifact::unnamed(Path::new("/proc/self"), 5).unwrap();
    memory.write_at(0, b"there").unwrap();
    assert!(!memory.link(&dir.join("b")));
    assert_eq!(memory.private_bytes(), 5);
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn what_has_a_name_is_not_cut_off() {
    let dir = std::env::temp_dir().join(format!("bootswarm-cut-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let artifact = Artifact::unnamed(&dir, 5).unwrap();
    artifact.write_at(0, b"hello").unwrap();
    assert!(artifact.link(&dir.join("a")));
    artifact.release();
    assert_eq!(
        (artifact.private_bytes(), std::fs::read(dir.join("a")).unwrap()),
        (0, b"hello".to_vec())
    );
    std::fs::remove_dir_all(&dir).unwrap();
}
