use proptest::prelude::*;

use super::*;
use crate::dynamodb::put_sort_key;

fn of(fill: impl FnOnce(&mut Scope) -> Result<(), TextError>) -> Scope {
    let mut scope = Scope::everything();
    fill(&mut scope).unwrap();
    scope
}

fn holds(scope: &Scope, protocol: Protocol, container: &str, key: &str) -> bool {
    scope.keys_in(protocol, container.as_bytes()).contains(key.as_bytes())
}

fn holds_item(scope: &Scope, table: &str, parts: &[(KeyType, &str)], forms: KeyForms) -> bool {
    let value = |(key_type, text): &(KeyType, &'static str)| KeyValue { key_type: *key_type, bytes: text.as_bytes() };
    let parts: Vec<(KeyType, &'static str)> =
        parts.iter().map(|(key_type, text)| (*key_type, &*text.to_string().leak())).collect();
    let (hash, range) = (value(&parts[0]), parts.get(1).map(value));
    let mut sort_key = Vec::new();
    put_sort_key(&hash, range.as_ref(), &mut sort_key);
    let key = ItemKey { hash, range, sort_key: &sort_key };
    scope.keys_in(Protocol::DynamoDb, table.as_bytes()).contains_item(&key, forms)
}

use Protocol::{DynamoDb, Redis, S3, Sqs};

#[test]
fn nothing_given_is_everything() {
    let scope = Scope::everything();
    assert!(scope.is_everything() && !scope.is_narrowed());
    for protocol in Protocol::ALL {
        assert!(scope.is_all_of(protocol));
        let keys = scope.keys_in(protocol, b"any");
        assert!(keys.is_all() && keys.has_scope() && keys.contains(b"") && keys.narrowing() == Narrowing::All);
    }
}

#[test]
fn name_alone_stands_for_a_redis_key_and_for_all_of_a_table_bucket_or_queue() {
    let scope = of(|scope| scope.add_key(b"users", false));
    assert!(holds(&scope, Redis, "0", "users") && holds(&scope, Redis, "7", "users"));
    assert!(!holds(&scope, Redis, "0", "users/1"));
    for protocol in [DynamoDb, S3, Sqs] {
        let keys = scope.keys_in(protocol, b"users");
        assert!(keys.is_all() && keys.has_scope());
        assert!(scope.keys_in(protocol, b"users2").is_nothing());
    }
    let one = of(|scope| scope.add_key(b"users/a%2Fb", false));
    assert!(holds(&one, S3, "users", "a/b") && !one.keys_in(S3, b"users").has_scope());
    assert!(holds(&one, Redis, "0", "users/a/b"));
    assert!(holds_item(&one, "users", &[(KeyType::String, "a/b")], KeyForms::Uniform));
    assert!(!holds_item(&one, "users", &[(KeyType::String, "a"), (KeyType::String, "b")], KeyForms::Uniform));
}

#[test]
fn empty_name_is_selected_by_its_own_spelling_and_by_nothing_else() {
    for fill in [
        of(|scope| scope.add_key(b"%empty", false)),
        of(|scope| scope.add_address(b"redis:0/%empty", false)),
        of(|scope| scope.add_match(b"%empty", false)),
    ] {
        assert!(
            holds(&fill, Redis, "0", "") && !holds(&fill, Redis, "0", "a"),
            "{}",
            fill.describe(&Protocol::IN_DUMPS)
        );
        assert!(fill.describe(&Protocol::IN_DUMPS).ends_with("%empty"));
    }
    let object = of(|scope| scope.add_key(b"b/%empty", false));
    assert!(holds(&object, S3, "b", "") && !holds(&object, S3, "b", "a") && !holds(&object, Redis, "0", "b/"));
    assert!(holds_item(&object, "b", &[(KeyType::String, "")], KeyForms::Uniform));
    let raw = of(|scope| scope.add_key(b"%empty", true));
    assert!(holds(&raw, Redis, "0", "%empty") && !holds(&raw, Redis, "0", ""));
    for text in ["", "%empt", "%empty2"] {
        assert!(Scope::everything().add_key(text.as_bytes(), false).is_err(), "{text}");
    }
}

#[test]
fn what_is_told_of_a_filter_selects_the_same_again() {
    for text in ["orders/c%2F1", "a%20b/c", "%empty", "b/%empty", "a//b", "/a", "caf%C3%A9", "%25empty"] {
        let key = of(|scope| scope.add_key(text.as_bytes(), false));
        let told = key.given().next().unwrap().1.to_owned();
        assert_eq!(of(|scope| scope.add_key(told.as_bytes(), false)).names, key.names, "{text}: {told}");
    }
    let prefix = of(|scope| scope.add_prefix(b"orders/c%2f", false));
    assert_eq!(prefix.given().collect::<Vec<_>>(), [("prefix", "orders/c%2F")]);
}

#[test]
fn filters_that_no_name_in_a_named_scope_can_meet_exclude_each_other() {
    let both = |prefix: &str, scope: &mut Scope| {
        scope.add_scope(S3, b"photos", false)?;
        scope.add_prefix(prefix.as_bytes(), false)
    };
    let all = Protocol::IN_DUMPS;
    for (prefix, is_contradictory) in
        [("2026/", true), ("photos/2026/", false), ("pho", false), ("photos", false), ("photo/", true)]
    {
        let scope = of(|scope| both(prefix, scope));
        assert_eq!(scope.is_contradictory(&all), is_contradictory, "{prefix}");
    }
    let hint = of(|scope| both("2026/", scope)).hint().unwrap();
    assert_eq!(hint, "names begin with the bucket they are in: --prefix photos/2026/");
    let address = of(|scope| scope.add_address(b"dynamodb:t/", false).and_then(|()| scope.add_match(b"c*", false)));
    assert!(address.is_contradictory(&all));
    assert_eq!(address.hint().unwrap(), "names begin with the table they are in: --match t/c*");
    let anywhere = of(|scope| scope.add_scope(S3, b"photos", false).and_then(|()| scope.add_match(b"*.jpg", false)));
    assert!(!anywhere.is_contradictory(&all));
    let redis = of(|scope| scope.add_scope(Redis, b"0", false).and_then(|()| scope.add_prefix(b"user:", false)));
    assert!(!redis.is_contradictory(&all) && redis.is_contradictory(&[S3]));
}

#[test]
fn address_names_one_protocol() {
    let scope =
        of(|scope| scope.add_address(b"s3:photos/a", false).and_then(|()| scope.add_address(b"redis:1/", false)));
    assert!(holds(&scope, S3, "photos", "a") && !holds(&scope, S3, "photos", "ab"));
    assert!(holds(&scope, Redis, "1", "x") && !holds(&scope, Redis, "0", "x"));
    assert!(!scope.includes(DynamoDb) && !scope.includes(Sqs) && !scope.is_all_of(S3));
    assert!(of(|scope| scope.add_address(b"sqs:", false)).is_all_of(Sqs));
}

#[test]
fn numbers_are_compared_as_numbers_and_texts_as_texts() {
    let scope = of(|scope| scope.add_address(b"dynamodb:t/c%2F1/17.50", false));
    let item = |range| holds_item(&scope, "t", &[(KeyType::String, "c/1"), range], KeyForms::Uniform);
    assert!(item((KeyType::Number, "17.5")) && item((KeyType::Number, "175e-1")) && item((KeyType::String, "17.50")));
    assert!(!item((KeyType::String, "17.5")) && !item((KeyType::Number, "17.51")));
    let bytes = of(|scope| scope.add_address(b"dynamodb:t/b64.AAF_", false));
    assert!(holds_item(&bytes, "t", &[(KeyType::Binary, "\0\u{1}\u{7f}")], KeyForms::Uniform));
    assert!(!holds_item(&bytes, "t", &[(KeyType::Binary, "\0\u{1}")], KeyForms::Uniform));
}

#[test]
fn tables_of_mixed_types_say_which_type_a_part_has() {
    let scope = of(|scope| {
        scope.add_address(b"dynamodb:t/N.1", false).and_then(|()| scope.add_address(b"dynamodb:t/S.x", false))
    });
    let item = |part| holds_item(&scope, "t", &[part], KeyForms::Mixed);
    assert!(item((KeyType::Number, "1.0")) && item((KeyType::String, "x")));
    assert!(!item((KeyType::String, "1")) && !item((KeyType::String, "N.1")));
}

#[test]
fn filters_of_different_kinds_are_all_met_and_of_the_same_kind_one() {
    let scope = of(|scope| {
        scope.add_prefix(b"a", false)?;
        scope.add_prefix(b"b", false)?;
        scope.add_match(b"*1", false)?;
        scope.add_exclude(b"b?1", false)
    });
    for (key, is_in) in [("a1", true), ("b1", true), ("c1", false), ("a2", false), ("bx1", false), ("bxy1", true)] {
        assert_eq!(holds(&scope, Redis, "0", key), is_in, "{key}");
    }
    let typed = of(|scope| {
        scope.add_kind(Kind::Hash);
        scope.add_scope(Redis, b"0", false)
    });
    assert!(typed.includes_kind(Kind::Hash) && !typed.includes_kind(Kind::String) && !typed.includes(S3));
    assert!(typed.keys_in(Redis, b"1").is_nothing() && !typed.is_all_of(Redis));
}

#[test]
fn prefix_is_text_in_which_nothing_is_a_pattern() {
    let scope = of(|scope| scope.add_prefix(b"a*[%2A", false));
    assert!(holds(&scope, Redis, "0", "a*[*x") && !holds(&scope, Redis, "0", "abc"));
}

#[test]
fn whole_scopes_keep_what_belongs_to_them_and_parts_do_not() {
    let keys = |scope: &Scope, name: &str| {
        let keys = scope.keys_in(S3, name.as_bytes());
        (!keys.is_nothing(), keys.has_scope(), keys.is_all())
    };
    for (scope, name, expected) in [
        (of(|s| s.add_prefix(b"pho", false)), "photos", (true, true, true)),
        (of(|s| s.add_prefix(b"photos/", false)), "photos", (true, true, true)),
        (of(|s| s.add_prefix(b"photos/a", false)), "photos", (true, false, false)),
        (of(|s| s.add_match(b"*.jpg", false)), "photos", (true, false, false)),
        (of(|s| s.add_match(b"photos/*", false)), "photos", (true, true, true)),
        (of(|s| s.add_match(b"photos", false)), "photos", (true, true, true)),
        (of(|s| s.add_match(b"logs/*", false)), "photos", (false, false, false)),
        (of(|s| s.add_exclude(b"*.tmp", false)), "photos", (true, true, false)),
        (of(|s| s.add_exclude(b"logs/*", false)), "photos", (true, true, true)),
        (of(|s| s.add_exclude(b"photos", false)), "photos", (false, false, false)),
        (of(|s| s.add_exclude(b"pho*", false)), "photos", (false, false, false)),
    ] {
        assert_eq!(keys(&scope, name), expected, "{} {name}", scope.describe(&Protocol::IN_DUMPS));
    }
}

#[test]
fn too_many_names_are_refused_by_the_name_of_the_limit() {
    let mut scope = Scope::everything();
    let long = vec![b'k'; 33 << 20];
    scope.add_key(&long, true).unwrap();
    let error = scope.add_key(&long, true).unwrap_err().to_string();
    assert!(error.contains("64 MiB of names"), "{error}");
}

#[test]
fn description_is_what_to_type_again() {
    let scope = of(|scope| {
        scope.add_prefix(b"a%20b*", false)?;
        scope.add_kind(Kind::Hash);
        (0..20).try_for_each(|n| scope.add_address(format!("redis:0/k{n}").as_bytes(), false))
    });
    let text = scope.describe(&Protocol::IN_DUMPS);
    assert!(text.starts_with("--prefix a%20b%2A --type hash redis:0/k0 redis:0/k1 "), "{text}");
    assert!(text.ends_with(" redis:0/k15 and 4 more names"), "{text}");
    assert_eq!(Scope::everything().describe(&Protocol::IN_DUMPS), "");
}

proptest! {
    #[test]
    fn described_pattern_reads_back_as_the_same_pattern(
        text in prop_oneof![prop::collection::vec(any::<u8>(), 1..8), "[ab*?\\[\\]^/é \\\\%-]{1,8}".prop_map(String::into_bytes)],
    ) {
        let shown = shown_glob(&bytes_of(&text, true).unwrap());
        prop_assert_eq!(Pattern::of(shown.as_bytes(), false, false), Pattern::of(&text, true, false), "{}", shown);
        prop_assert!(!shown.contains(char::is_control) && !shown.contains(' '));
    }

    #[test]
    fn narrowing_leaves_out_nothing_that_is_selected(
        prefixes in prop::collection::vec("[ab/]{0,3}", 0..3),
        globs in prop::collection::vec("[ab/*?]{0,4}", 0..3),
        excluded in prop::collection::vec("[ab/*]{0,4}", 0..2),
        names in prop::collection::vec("[ab/]{1,4}", 0..3),
        container in "[ab]{1,2}",
        key in "[ab/]{0,4}",
        protocol in prop::sample::select(vec![Redis, S3, Sqs]),
    ) {
        let scope = of(|scope| {
            prefixes.iter().try_for_each(|text| scope.add_prefix(text.as_bytes(), false))?;
            globs.iter().try_for_each(|text| scope.add_match(text.as_bytes(), false))?;
            excluded.iter().try_for_each(|text| scope.add_exclude(text.as_bytes(), false))?;
            names.iter().try_for_each(|text| scope.add_key(text.as_bytes(), false))
        });
        let keys = scope.keys_in(protocol, container.as_bytes());
        let key = key.as_bytes();
        let name = if protocol == Redis { key.to_vec() } else { [container.as_bytes(), b"/", key].concat() };
        let is_scope = |text: &String| protocol != Redis && *text == container;
        let glob = |text: &String| Glob::parse(text.as_bytes(), false).unwrap();
        let in_globs = |texts: &[String]| texts.iter().any(|text| {
            glob(text).matches(&name) || (is_scope(text) && glob(text).is_literal())
        });
        let is_named = names.is_empty() || names.iter().any(|text| {
            let is_all_of_scope = protocol != Redis && text.strip_suffix('/').unwrap_or(text) == container;
            text.as_bytes() == name.as_slice() || is_all_of_scope
        });
        let expected = is_named
            && (prefixes.is_empty() || prefixes.iter().any(|text| name.starts_with(text.as_bytes())))
            && (globs.is_empty() || in_globs(&globs))
            && !in_globs(&excluded);
        prop_assert_eq!(keys.contains(key), expected, "{} {:?}", scope.describe(&Protocol::IN_DUMPS), name);
        if expected {
            let is_looked_at = match keys.narrowing() {
                Narrowing::All => true,
                Narrowing::Keys(keys) => keys.contains(&key),
                Narrowing::Prefixes(prefixes) => prefixes.iter().any(|prefix| key.starts_with(prefix)),
            };
            prop_assert!(is_looked_at, "{} {:?} {:?}", scope.describe(&Protocol::IN_DUMPS), name, keys.narrowing());
        }
        if keys.is_all() {
            prop_assert!(expected);
        }
    }
}

#[test]
fn limits_that_exclude_each_other_or_fit_no_kind_select_nothing_of_a_protocol() {
    let none = |fill: &dyn Fn(&mut Scope)| {
        let mut scope = Scope::everything();
        fill(&mut scope);
        Protocol::ALL.into_iter().filter(|protocol| scope.includes(*protocol)).collect::<Vec<_>>()
    };
    assert_eq!(none(&|scope| scope.add_more_than(1)), [Redis]);
    assert_eq!(none(&Scope::only_expired), [Redis]);
    assert_eq!(none(&|scope| scope.add_expires_after(1, String::new())), [Redis]);
    assert_eq!(none(&Scope::only_without_expiry), Protocol::ALL);
    assert_eq!(none(&|scope| scope.take_first(1)), Protocol::ALL);
    let contradictions: [&dyn Fn(&mut Scope); 7] = [
        &|scope| {
            scope.only_without_expiry();
            scope.only_expired();
        },
        &|scope| {
            scope.add_larger_than(9);
            scope.add_smaller_than(10);
        },
        &|scope| {
            scope.add_expires_after(7, String::new());
            scope.add_expires_before(7, String::new());
        },
        &|scope| {
            scope.add_changed_after(7, String::new());
            scope.add_changed_before(6, String::new());
        },
        &|scope| scope.take_first(0),
        &|scope| {
            scope.add_more_than(1);
            scope.add_kind(Kind::String);
        },
        &|scope| {
            scope.only_expired();
            scope.add_kind(Kind::Object);
        },
    ];
    for (number, fill) in contradictions.into_iter().enumerate() {
        assert!(none(fill).is_empty(), "{number}");
    }
    let mut between = Scope::everything();
    between.add_larger_than(9);
    between.add_smaller_than(11);
    assert!(between.includes(S3) && between.admits_object(10, 0));
    assert!(!between.admits_object(9, 0) && !between.admits_object(11, 0));
}

#[test]
fn limits_narrow_and_are_told_but_name_nothing() {
    let mut scope = Scope::everything();
    scope.add_larger_than(1024);
    scope.only_without_expiry();
    scope.take_first(3);
    assert!(scope.is_narrowed() && scope.has_limits() && scope.looks_ahead() && !scope.is_about_changes());
    assert_eq!(scope.describe(&Protocol::IN_DUMPS), "--larger-than 1024 --no-expiry --limit 3");
    let keys = scope.keys_in(S3, b"photos");
    assert!(keys.contains(b"a") && !keys.is_all() && !keys.has_scope() && keys.narrowing() == Narrowing::All);
    let mut first = Scope::everything();
    first.take_first(3);
    assert!(first.keys_in(S3, b"photos").has_scope() && !first.is_all_of(S3) && !first.looks_ahead());
}
