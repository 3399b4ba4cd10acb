//! What every engine does.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::meta::engine::Row;

/// One test per engine for each function of the contract.
macro_rules! on_every_engine {
    ($($check:ident)*) => {
        mod file { $(#[test] fn $check() { super::$check(&super::super::file()); })* }
        mod memory { $(#[test] fn $check() { super::$check(&super::super::memory()); })* }
        mod strict { $(#[test] fn $check() { super::$check(&super::super::strict()); })* }
    };
}

on_every_engine! {
    rows_are_put_read_and_deleted
    ranges_are_bounded_ordered_and_limited
    counters_add_up
    a_counter_that_is_none_fails_its_closure_alone
    one_denied_closure_of_64_harms_no_other
    a_closure_sees_those_before_it_in_its_batch
    effects_run_once_in_order_before_the_answer
    a_panic_fails_its_closure_alone
    a_panic_in_an_effect_harms_nobody
    a_dropped_caller_commits_all_the_same
    a_view_stays_as_it_was
    a_batch_that_changes_nothing_is_not_committed
    a_closed_engine_says_so
    the_last_clone_may_go_inside_an_effect
    the_overlay_reads_like_a_map
}

fn rows_are_put_read_and_deleted(lab: &Lab) {
    let engine = &lab.engine;
    write(engine, |tx| {
        assert!(tx.put_new(ROWS, b"a", b"1".to_vec())?);
        assert!(!tx.put_new(ROWS, b"a", b"2".to_vec())?);
        tx.put(ROWS, b"b", Vec::new());
        tx.put(ROWS, b"c", b"3".to_vec());
        tx.delete(ROWS, b"c");
        tx.delete(ROWS, b"never");
        assert_eq!(tx.get(ROWS, b"a")?, Some(b"1".to_vec()));
        assert_eq!(tx.get(ROWS, b"c")?, None);
        Ok(())
    })
    .unwrap();
    assert_eq!(get(engine, b"a"), Some(b"1".to_vec()));
    assert_eq!(get(engine, b"b"), Some(Vec::new()));
    assert_eq!(get(engine, b"c"), None);
    write(engine, |tx| {
        assert!(!tx.put_new(ROWS, b"a", b"2".to_vec())?);
        tx.delete(ROWS, b"a");
        assert_eq!(tx.get(ROWS, b"a")?, None);
        assert!(tx.put_new(ROWS, b"a", b"4".to_vec())?);
        Ok(())
    })
    .unwrap();
    engine
        .read::<_, MetaError>(|tx| {
            let many = tx.get_many(ROWS, &[b"b", b"c", b"a"])?;
            assert_eq!(many, [Some(Vec::new()), None, Some(b"4".to_vec())]);
            assert_eq!(tx.get_with(ROWS, b"a", <[u8]>::len)?, Some(1));
            assert_eq!(tx.get_with(ROWS, b"c", <[u8]>::len)?, None);
            assert_eq!(tx.get(tables::META, b"a")?, None, "tables are apart");
            Ok(())
        })
        .unwrap();
}

fn ranges_are_bounded_ordered_and_limited(lab: &Lab) {
    fn check(tx: &dyn Read) -> Result<(), MetaError> {
        let keys =
            |rows: Vec<Row>| rows.into_iter().map(|(key, _)| String::from_utf8(key).unwrap()).collect::<Vec<_>>();
        assert_eq!(keys(tx.range(ROWS, b"", None, 9)?), ["a", "b/1", "b/2", "b0", "c"]);
        assert_eq!(keys(tx.range(ROWS, b"b/1", Some(b"c"), 9)?), ["b/1", "b/2", "b0"]);
        assert_eq!(keys(tx.range(ROWS, b"b/1", Some(b"c"), 2)?), ["b/1", "b/2"]);
        assert_eq!(keys(tx.range_prefix(ROWS, b"b/", 9)?), ["b/1", "b/2"]);
        assert_eq!(keys(tx.range(ROWS, b"c\0", None, 9)?), [""; 0]);
        assert_eq!(keys(tx.range(ROWS, b"c", Some(b"a"), 9)?), [""; 0], "bounds the wrong way round");
        assert_eq!(keys(tx.range(ROWS, b"a", Some(b"a"), 9)?), [""; 0]);
        assert_eq!(keys(tx.range(ROWS, b"a", None, 0)?), [""; 0]);
        Ok(())
    }
    write(&lab.engine, |tx| {
        for key in ["c", "b0", "b/2", "a", "b/1"] {
            tx.put(ROWS, key.as_bytes(), b"x".to_vec());
        }
        check(tx)
    })
    .unwrap();
    lab.engine.read(|tx| check(tx)).unwrap();
    write(&lab.engine, |tx| check(tx)).unwrap();
}

fn counters_add_up(lab: &Lab) {
    let engine = &lab.engine;
    let held = hold(engine);
    let adds: Vec<_> = (1..=10)
        .map(|delta| {
            queue(engine, move |tx| {
                let before = tx.counter(COUNTS, b"n")?;
                tx.add(COUNTS, b"n", delta);
                tx.add(COUNTS, b"n", -1);
                assert_eq!(tx.counter(COUNTS, b"n")?, before + delta - 1);
                Ok(())
            })
        })
        .collect();
    held.release();
    for add in adds {
        wait(add).unwrap();
    }
    assert_eq!(engine.read(|tx| tx.counter(COUNTS, b"n")).unwrap_or_else(|error: MetaError| panic!("{error}")), 45);
    write(engine, |tx| {
        tx.delete(COUNTS, b"n");
        tx.add(COUNTS, b"n", 7);
        tx.put(COUNTS, b"m", 5_i64.to_be_bytes().to_vec());
        tx.add(COUNTS, b"m", -6);
        Ok(())
    })
    .unwrap();
    let rows = engine.read::<_, MetaError>(|tx| tx.range(COUNTS, b"", None, 9)).unwrap();
    let expected = [(b"m".to_vec(), (-1_i64).to_be_bytes().to_vec()), (b"n".to_vec(), 7_i64.to_be_bytes().to_vec())];
    assert_eq!(rows, expected);
}

fn a_counter_that_is_none_fails_its_closure_alone(lab: &Lab) {
    let engine = &lab.engine;
    write(engine, |tx| {
        tx.put(COUNTS, b"text", b"no number".to_vec());
        tx.put(COUNTS, b"full", i64::MAX.to_be_bytes().to_vec());
        Ok(())
    })
    .unwrap();
    let held = hold(engine);
    let bad = [&b"text"[..], b"full", b"own"].map(|key| {
        queue(engine, move |tx| {
            tx.put(COUNTS, b"own", b"short".to_vec());
            tx.add(COUNTS, key, 1);
            Ok(())
        })
    });
    let good = queue(engine, |tx| {
        tx.put(ROWS, b"good", Vec::new());
        Ok(())
    });
    held.release();
    for answer in bad {
        assert!(matches!(wait(answer), Err(WriteError::Store(MetaError::Corrupt(_)))));
    }
    wait(good).unwrap();
    assert_eq!(keys(engine), [b"good"]);
    assert!(engine.read::<_, MetaError>(|tx| tx.get(COUNTS, b"own")).unwrap().is_none());
}

fn one_denied_closure_of_64_harms_no_other(lab: &Lab) {
    let (engine, log) = (&lab.engine, Log::default());
    let before = engine.commits();
    let held = hold(engine);
    let answers: Vec<_> = (0..64_u8)
        .map(|n| {
            let log = log.clone();
            queue(engine, move |tx| {
                tx.put(ROWS, &[n], vec![n]);
                tx.add(COUNTS, b"all", 1);
                tx.on_commit(log.note("commit"));
                tx.on_abort(log.note(format!("abort {n}")));
                if n == 17 { Err(refusal()) } else { Ok(n) }
            })
        })
        .collect();
    held.release();
    for (n, answer) in answers.into_iter().enumerate() {
        match wait(answer) {
            Ok(answer) => assert_eq!(usize::from(answer), n),
            Err(WriteError::Refused(_)) => assert_eq!(n, 17),
            Err(WriteError::Store(error)) => panic!("{error}"),
        }
    }
    assert_eq!(engine.commits(), before + 1, "they went in one commit");
    assert_eq!(keys(engine), (0..64).filter(|n| *n != 17).map(|n| vec![n]).collect::<Vec<_>>());
    assert_eq!(engine.read::<_, MetaError>(|tx| tx.counter(COUNTS, b"all")).unwrap(), 63);
    let log = log.take();
    assert_eq!(log.iter().filter(|what| *what == "commit").count(), 63);
    assert_eq!(log.iter().filter(|what| *what == "abort 17").count(), 1);
    assert_eq!(log.len(), 64);
}

fn a_closure_sees_those_before_it_in_its_batch(lab: &Lab) {
    let engine = &lab.engine;
    let held = hold(engine);
    let answers: Vec<_> = (0..40_u8)
        .map(|n| {
            queue(engine, move |tx| {
                let before = tx.range_prefix(ROWS, b"seen/", 99)?.len();
                let key = [b"seen/", &[n][..]].concat();
                tx.put(ROWS, &key, Vec::new());
                // What is refused is not seen.
                if n % 4 == 3 { Err(refusal()) } else { Ok(before) }
            })
        })
        .collect();
    held.release();
    let mut seen: Vec<_> = answers.into_iter().filter_map(|answer| wait(answer).ok()).collect();
    if lab.mode == Mode::Strict {
        // Its conflicts change the order.
        seen.sort_unstable();
    }
    assert_eq!(seen, (0..30).collect::<Vec<_>>());
}

fn effects_run_once_in_order_before_the_answer(lab: &Lab) {
    let (engine, log) = (&lab.engine, Log::default());
    let notes = log.clone();
    let view = engine.clone();
    write(engine, move |tx| {
        let view = view.clone();
        let durable = notes.clone();
        tx.on_commit(move || durable.note(format!("row: {}", get(&view, b"k").is_some()))());
        tx.on_commit(notes.note("second"));
        tx.on_abort(notes.note("abort"));
        tx.put(ROWS, b"k", Vec::new());
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), ["row: true", "second"]);
    let notes = log.clone();
    let refused = write(engine, move |tx| {
        tx.on_abort(notes.note("first"));
        tx.on_commit(notes.note("commit"));
        tx.on_abort(notes.note("second"));
        Err::<(), _>(refusal())
    });
    assert!(matches!(refused, Err(WriteError::Refused(MetaError::Corrupt(_)))));
    assert_eq!(log.take(), ["first", "second"]);
    let notes = log.clone();
    write(engine, move |tx| {
        tx.on_commit(notes.note("nothing written"));
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), ["nothing written"]);
}

fn a_panic_fails_its_closure_alone(lab: &Lab) {
    let (engine, log) = (&lab.engine, Log::default());
    let held = hold(engine);
    let before = queue(engine, |tx| tx.put_new(ROWS, b"before", Vec::new()));
    let notes = log.clone();
    let bad = queue(engine, move |tx| {
        tx.put(ROWS, b"bad", Vec::new());
        tx.on_abort(notes.note("abort"));
        tx.on_commit(notes.note("commit"));
        assert!(tx.get(ROWS, b"bad")?.is_none(), "ouch");
        Ok(())
    });
    let after = queue(engine, |tx| tx.put_new(ROWS, b"after", Vec::new()));
    held.release();
    assert!(wait(before).unwrap() && wait(after).unwrap());
    match wait(bad) {
        Err(WriteError::Store(MetaError::Storage(what))) => assert!(what.ends_with("panicked: ouch"), "{what}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(keys(engine), [&b"after"[..], b"before"]);
    assert_eq!(log.take(), ["abort"]);
}

fn a_panic_in_an_effect_harms_nobody(lab: &Lab) {
    let (engine, log) = (&lab.engine, Log::default());
    let notes = log.clone();
    write(engine, move |tx| {
        tx.put(ROWS, b"k", Vec::new());
        tx.on_commit(|| panic!("an effect of the test"));
        tx.on_commit(notes.note("next"));
        Ok(())
    })
    .unwrap();
    assert_eq!(log.take(), ["next"]);
    assert!(get(engine, b"k").is_some());
    put(engine, b"l", b"").unwrap();
}

fn a_dropped_caller_commits_all_the_same(lab: &Lab) {
    let (engine, log) = (&lab.engine, Log::default());
    let held = hold(engine);
    let notes = log.clone();
    drop(queue(engine, move |tx| {
        tx.put(ROWS, b"orphan", Vec::new());
        tx.on_commit(notes.note("commit"));
        Ok(())
    }));
    let notes = log.clone();
    drop(queue(engine, move |tx| {
        tx.on_abort(notes.note("abort"));
        Err::<(), _>(refusal())
    }));
    held.release();
    // Whatever is answered now has been queued after the two.
    put(engine, b"fence", b"").unwrap();
    assert_eq!(keys(engine), [&b"fence"[..], b"orphan"]);
    let mut log = log.take();
    log.sort_unstable();
    assert_eq!(log, ["abort", "commit"]);
}

fn a_view_stays_as_it_was(lab: &Lab) {
    let engine = &lab.engine;
    put(engine, b"k", b"old").unwrap();
    engine
        .read::<_, MetaError>(|tx| {
            put(engine, b"k", b"new").unwrap();
            put(engine, b"l", b"new").unwrap();
            assert_eq!(tx.get(ROWS, b"k")?, Some(b"old".to_vec()));
            assert_eq!(tx.range(ROWS, b"", None, 9)?.len(), 1);
            Ok(())
        })
        .unwrap();
    assert_eq!(get(engine, b"k"), Some(b"new".to_vec()));
}

fn a_batch_that_changes_nothing_is_not_committed(lab: &Lab) {
    let engine = &lab.engine;
    put(engine, b"k", b"v").unwrap();
    let before = engine.commits();
    put(engine, b"k", b"v").unwrap();
    write(engine, |tx| {
        tx.delete(ROWS, b"never");
        Ok(())
    })
    .unwrap();
    assert_eq!(engine.commits(), before);
    put(engine, b"k", b"").unwrap();
    assert_eq!(engine.commits(), before + 1);
}

fn a_closed_engine_says_so(lab: &Lab) {
    let held = hold(&lab.engine);
    let queued = queue(&lab.engine, |tx| tx.put_new(ROWS, b"k", Vec::new()));
    let closing = std::thread::spawn({
        let engine = lab.engine.clone();
        move || engine.close()
    });
    held.release();
    // Queued before or after the end: it is committed or told.
    let answer = wait(queued);
    closing.join().unwrap();
    assert!(matches!(answer, Ok(true) | Err(WriteError::Store(MetaError::Closed))), "{answer:?}");
    assert!(matches!(put(&lab.engine, b"l", b""), Err(WriteError::Store(MetaError::Closed))));
    let read = lab.engine.read(|tx| tx.get(ROWS, b"k"));
    assert!(matches!(read, Err(MetaError::Closed)), "{read:?}");
}

fn the_last_clone_may_go_inside_an_effect(_: &Lab) {
    let engine = start(Source::Memory, Mode::Normal).unwrap();
    let mut last = Some(engine.clone());
    let (gone, told) = std::sync::mpsc::channel();
    let held = hold(&engine);
    let queued = queue(&engine, move |tx| {
        let (last, gone) = (last.take(), gone.clone());
        tx.on_commit(move || {
            drop(last);
            gone.send(()).unwrap();
        });
        Ok(())
    });
    held.release();
    drop((queued, engine));
    told.recv_timeout(std::time::Duration::from_secs(10)).expect("the writer does not wait for itself");
}

#[derive(Clone, Debug)]
enum Op {
    Put(Vec<u8>, i64),
    PutNew(Vec<u8>, i64),
    Delete(Vec<u8>),
    Add(Vec<u8>, i64),
    Range(Vec<u8>, Option<Vec<u8>>, usize),
    Get(Vec<u8>),
}

type Model = BTreeMap<Vec<u8>, i64>;

/// Few and short, so that they meet.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0, 1, 255]), 1..=2)
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (key(), -9..9_i64).prop_map(|(key, value)| Op::Put(key, value)),
        (key(), -9..9_i64).prop_map(|(key, value)| Op::PutNew(key, value)),
        key().prop_map(Op::Delete),
        (key(), -9..9_i64).prop_map(|(key, delta)| Op::Add(key, delta)),
        (key(), prop::option::of(key()), 0..6_usize).prop_map(|(from, to, limit)| Op::Range(from, to, limit)),
        key().prop_map(Op::Get),
    ]
}

fn range_of(model: &Model, from: &[u8], to: Option<&[u8]>, limit: usize) -> Vec<Row> {
    let within = model.iter().filter(|(key, _)| from <= key.as_slice() && to.is_none_or(|to| key.as_slice() < to));
    within.take(limit).map(|(key, value)| (key.clone(), value.to_be_bytes().to_vec())).collect()
}

/// Does the same to both, and compares what they say on the way and at the end.
fn play(ops: &[Op], tx: &mut WriteTx, model: &mut Model) -> Result<(), MetaError> {
    for op in ops {
        match op {
            Op::Put(key, value) => {
                tx.put(ROWS, key, value.to_be_bytes().to_vec());
                model.insert(key.clone(), *value);
            }
            Op::PutNew(key, value) => {
                assert_eq!(tx.put_new(ROWS, key, value.to_be_bytes().to_vec())?, !model.contains_key(key));
                model.entry(key.clone()).or_insert(*value);
            }
            Op::Delete(key) => {
                tx.delete(ROWS, key);
                model.remove(key);
            }
            Op::Add(key, delta) => {
                tx.add(ROWS, key, *delta);
                *model.entry(key.clone()).or_default() += delta;
            }
            Op::Range(from, to, limit) => {
                let to = to.as_deref();
                let rows = range_of(model, from, to, *limit);
                assert_eq!(tx.range(ROWS, from, to, *limit)?, rows);
                let keys: Vec<_> = rows.into_iter().map(|(key, _)| key).collect();
                assert_eq!(tx.keys(ROWS, from, to, *limit)?, keys);
            }
            Op::Get(key) => {
                assert_eq!(tx.get(ROWS, key)?, model.get(key).map(|value| value.to_be_bytes().to_vec()));
            }
        }
    }
    assert_eq!(tx.range(ROWS, b"", None, usize::MAX)?, range_of(model, b"", None, usize::MAX));
    Ok(())
}

/// Batches of closures, some refused, against a map; in strict mode, which changes their order, one by one.
fn the_overlay_reads_like_a_map(lab: &Lab) {
    let closures = prop::collection::vec((prop::collection::vec(op(), 0..12), prop::bool::weighted(0.2)), 1..8);
    let batches = prop::collection::vec(closures, 1..4);
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(batches in batches)| {
        write(&lab.engine, |tx| {
            for (key, _) in tx.range(ROWS, b"", None, usize::MAX)? {
                tx.delete(ROWS, &key);
            }
            Ok(())
        }).unwrap();
        let model: Arc<Mutex<Model>> = Arc::default();
        for batch in batches {
            let held = (lab.mode == Mode::Normal).then(|| hold(&lab.engine));
            let mut answers = Vec::new();
            for (ops, refused) in batch {
                let shared = Arc::clone(&model);
                let one_by_one = held.is_none();
                let closure = move |tx: &mut WriteTx| {
                    let mut model = shared.lock().clone();
                    play(&ops, tx, &mut model)?;
                    if refused {
                        return Err(refusal());
                    }
                    if !one_by_one {
                        *shared.lock() = model.clone();
                    }
                    Ok(model)
                };
                if one_by_one {
                    match write(&lab.engine, closure) {
                        Ok(after) => *model.lock() = after,
                        answer => prop_assert!(refused, "{:?}", answer),
                    }
                } else {
                    answers.push((queue(&lab.engine, closure), refused));
                }
            }
            if let Some(held) = held {
                held.release();
            }
            for (answer, refused) in answers {
                let answer = wait(answer);
                prop_assert_eq!(answer.is_err(), refused, "{:?}", answer);
            }
            let (rows, keys) = lab.engine.read::<_, MetaError>(|tx| {
                Ok((tx.range(ROWS, b"", None, usize::MAX)?, tx.keys(ROWS, b"", None, usize::MAX)?))
            }).unwrap();
            prop_assert!(keys.iter().eq(rows.iter().map(|(key, _)| key)));
            prop_assert_eq!(rows, range_of(&model.lock(), b"", None, usize::MAX));
        }
    });
}
