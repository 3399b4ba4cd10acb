//! What strict mode finds.

use super::*;

/// What a closure ends with on a strict engine and on another one.
fn on_both(f: impl FnMut(&mut WriteTx) -> Result<(), MetaError> + Clone + Send + 'static) -> [Answer<()>; 2] {
    [strict(), memory()].map(|lab| {
        let answer = write(&lab.engine, f.clone());
        if answer.is_err() {
            assert!(keys(&lab.engine).is_empty(), "nothing of it is written");
        }
        answer
    })
}

#[track_caller]
fn breaks_a_rule(words: &str, f: impl FnMut(&mut WriteTx) -> Result<(), MetaError> + Clone + Send + 'static) {
    let [strict, normal] = on_both(f);
    match strict {
        Err(WriteError::Store(MetaError::Rule(what))) => assert!(what.contains(words), "{what}"),
        other => panic!("{other:?}"),
    }
    normal.expect("only strict mode minds");
}

#[test]
fn a_closure_must_do_the_same_again() {
    let runs = Runs::default();
    breaks_a_rule("other rows", move |tx| {
        runs.count();
        tx.put(ROWS, &runs.get().to_be_bytes(), Vec::new());
        Ok(())
    });
    let runs = Runs::default();
    breaks_a_rule("other rows", move |tx| {
        runs.count();
        if runs.get() % 2 == 0 {
            tx.add(ROWS, b"k", 1);
        } else {
            tx.put(ROWS, b"k", 1_i64.to_be_bytes().to_vec());
        }
        Ok(())
    });
    let runs = Runs::default();
    breaks_a_rule("refused", move |_| {
        runs.count();
        if runs.get() == 1 { Err(refusal()) } else { Ok(()) }
    });
}

#[test]
fn limits_hold() {
    breaks_a_rule("has 0 bytes", |tx| {
        tx.put(ROWS, b"", Vec::new());
        Ok(())
    });
    breaks_a_rule("has 10001 bytes", |tx| {
        tx.put(ROWS, &[1; 10_001], Vec::new());
        Ok(())
    });
    breaks_a_rule("has 100001 bytes", |tx| {
        tx.put(ROWS, b"k", vec![0; 100_001]);
        Ok(())
    });
    breaks_a_rule("touches 1001 rows", |tx| {
        for n in 0..1_001_u64 {
            tx.delete(ROWS, &n.to_be_bytes());
        }
        Ok(())
    });
    breaks_a_rule("touches 20001 rows", |tx| {
        tx.allow_many_keys("the edges of one manifest");
        for n in 0..20_001_u64 {
            tx.add(ROWS, &n.to_be_bytes(), 1);
        }
        Ok(())
    });
    breaks_a_rule("writes 8000081 bytes", |tx| {
        for n in 0..81_u8 {
            tx.put(ROWS, &[n], vec![0; 98_765 + usize::from(n < 35)]);
        }
        Ok(())
    });
}

#[test]
fn what_lies_within_the_limits_passes() {
    let within = on_both(|tx| {
        tx.put(ROWS, &[1; 10_000], vec![0; 100_000]);
        for n in 0..999_u64 {
            tx.put(ROWS, &n.to_be_bytes(), Vec::new());
        }
        Ok(())
    });
    let many = on_both(|tx| {
        tx.allow_many_keys("the edges of one manifest");
        for n in 0..20_000_u64 {
            tx.put(ROWS, &n.to_be_bytes(), Vec::new());
        }
        Ok(())
    });
    for answer in within.into_iter().chain(many) {
        answer.unwrap();
    }
}

#[test]
fn closures_run_twice_and_conflicts_are_injected() {
    let lab = strict();
    let held = hold(&lab.engine);
    let (runs, answers): (Vec<_>, Vec<_>) = (0..60)
        .map(|_| {
            let runs = Runs::default();
            let inside = runs.clone();
            let answer = queue(&lab.engine, move |tx| {
                inside.count();
                let n = tx.counter(COUNTS, b"n")?;
                tx.put(COUNTS, b"n", (n + 1).to_be_bytes().to_vec());
                Ok(())
            });
            (runs, answer)
        })
        .unzip();
    held.release();
    for answer in answers {
        wait(answer).unwrap();
    }
    let n = lab.engine.read::<_, MetaError>(|tx| tx.counter(COUNTS, b"n")).unwrap();
    assert_eq!(n, 60, "a closure that was run again over changed rows is not lost");
    let runs: Vec<_> = runs.iter().map(Runs::get).collect();
    assert!(runs.iter().all(|runs| (2..=3).contains(runs)), "{runs:?}");
    assert!(runs.contains(&3), "no conflict was injected");
}
