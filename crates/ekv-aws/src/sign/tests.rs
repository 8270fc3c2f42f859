//! The published test suite of Signature Version 4, and the worked examples of S3.

use super::*;
use crate::encoding::{canonical_query, encode_path};
use crate::{Content, Secret};

fn credentials(id: &str, secret: &str) -> Credentials {
    Credentials {
        access_key_id: id.to_owned(),
        secret_access_key: Secret::new(secret),
        session_token: None,
        expires_at: None,
    }
}

struct Vector {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    query: &'static [(&'static str, &'static str)],
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    signed_headers: &'static str,
    signature: &'static str,
}

fn vector(name: &'static str, signature: &'static str) -> Vector {
    Vector {
        name,
        method: "GET",
        path: "/",
        query: &[],
        headers: &[],
        body: "",
        signed_headers: "host;x-amz-date",
        signature,
    }
}

const LETTERS: &str = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LETTERS_PATH: &str = "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[test]
fn signatures_equal_those_of_the_published_suite() {
    let with_header = "host;my-header1;x-amz-date";
    let vectors = [
        vector("get-vanilla", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        Vector {
            headers: &[("my-header1", "value2"), ("my-header1", "value2"), ("my-header1", "value1")],
            signed_headers: with_header,
            ..vector("get-header-key-duplicate", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea")
        },
        Vector {
            headers: &[
                ("my-header1", "value4"),
                ("my-header1", "value1"),
                ("my-header1", "value3"),
                ("my-header1", "value2"),
            ],
            signed_headers: with_header,
            ..vector("get-header-value-order", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01")
        },
        Vector {
            headers: &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")],
            signed_headers: "host;my-header1;my-header2;x-amz-date",
            ..vector("get-header-value-trim", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736")
        },
        Vector {
            path: LETTERS_PATH,
            ..vector("get-unreserved", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f")
        },
        Vector {
            path: "/ሴ", ..vector("get-utf8", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85")
        },
        Vector {
            query: &[("Param1", "value1")],
            ..vector("get-vanilla-empty-query-key", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb")
        },
        Vector {
            query: &[("Param1", "value2"), ("Param1", "Value1")],
            ..vector("get-vanilla-query-order-key", "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1")
        },
        Vector {
            query: &[("Param2", "value2"), ("Param1", "value1")],
            ..vector(
                "get-vanilla-query-order-key-case",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            )
        },
        Vector {
            query: &[("Param1", "value2"), ("Param1", "value1")],
            ..vector(
                "get-vanilla-query-order-value",
                "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694",
            )
        },
        Vector {
            query: &[(LETTERS, LETTERS)],
            ..vector("get-vanilla-query-unreserved", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197")
        },
        Vector {
            query: &[("ሴ", "bar")],
            ..vector("get-vanilla-utf8-query", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04")
        },
        Vector {
            method: "POST",
            ..vector("post-vanilla", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b")
        },
        Vector {
            method: "POST",
            headers: &[("my-header1", "VALUE1")],
            signed_headers: with_header,
            ..vector("post-header-value-case", "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d")
        },
        Vector {
            method: "POST",
            query: &[("Param1", "value1")],
            ..vector("post-vanilla-query", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11")
        },
        Vector {
            method: "POST",
            headers: &[("content-type", "application/x-www-form-urlencoded")],
            body: "Param1=value1",
            signed_headers: "content-type;host;x-amz-date",
            ..vector("post-x-www-form-urlencoded", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a")
        },
    ];
    let credentials = credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    let scope = SigningScope { region: "us-east-1", service: "service", at: "2015-08-30T12:36:00Z".parse().unwrap() };
    for vector in &vectors {
        let mut headers =
            vec![("host".to_owned(), "example.amazonaws.com".to_owned()), ("x-amz-date".to_owned(), scope.date_time())];
        headers.extend(vector.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let query: Vec<_> =
            vector.query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let signature = Signature {
            method: vector.method,
            path: &encode_path(vector.path.as_bytes()),
            query: &canonical_query(&query),
            headers: &headers,
            content_sha256: Content::Bytes(vector.body.as_bytes()).sha256(),
        };
        assert_eq!(
            signature.authorization(&credentials, &scope),
            format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={}, Signature={}",
                vector.signed_headers, vector.signature
            ),
            "{}",
            vector.name
        );
    }
}

#[test]
fn signatures_equal_the_examples_of_the_object_store() {
    let credentials = credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    let scope = SigningScope { region: "us-east-1", service: "s3", at: "2013-05-24T00:00:00Z".parse().unwrap() };
    let signed = |method: &str, path: &str, query: &[(&str, &str)], more: &[(&str, &str)], body: &str| {
        let content_sha256 = sha256(body.as_bytes());
        let mut headers = vec![
            ("host".to_owned(), "examplebucket.s3.amazonaws.com".to_owned()),
            ("x-amz-content-sha256".to_owned(), hex(&content_sha256)),
            ("x-amz-date".to_owned(), scope.date_time()),
        ];
        headers.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let query: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (path, query) = (encode_path(path.as_bytes()), canonical_query(&query));
        let signature = Signature { method, path: &path, query: &query, headers: &headers, content_sha256 };
        let text = signature.authorization(&credentials, &scope);
        text.rsplit_once("Signature=").unwrap().1.to_owned()
    };
    assert_eq!(
        signed("GET", "/test.txt", &[], &[("range", "bytes=0-9")], ""),
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    );
    let put = [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")];
    assert_eq!(
        signed("PUT", "/test$file.text", &[], &put, "Welcome to Amazon S3."),
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    );
    assert_eq!(
        signed("GET", "/", &[("lifecycle", "")], &[], ""),
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    );
    assert_eq!(
        signed("GET", "/", &[("max-keys", "2"), ("prefix", "J")], &[], ""),
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    );
}

#[test]
fn secrets_are_in_no_debug_text() {
    let text = format!("{:?}", credentials("AKIDEXAMPLE", "very-secret"));
    assert!(text.contains("AKIDEXAMPLE") && !text.contains("very-secret"), "{text}");
}
