//! S3: buckets, objects, uploads in parts, lists.
//!
//! Keys are bytes of UTF-8 text and go into addresses as they are, `..` and `//` included.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::xml::{self, Leaf};
use crate::{Answer, Client, Content, Done, Error, Failure, Fault, FaultKind, Method, Request, Result, encode_path};

/// Most parts of an upload.
pub const PARTS_MAX: u32 = 10_000;
/// Least length of a part but the last, in bytes.
pub const PART_LEN_MIN: u64 = 5 << 20;

/// What goes with an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Headers such as `content-type` and `x-amz-meta-…`, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Whether the object is written only if none of its key is there.
    pub must_be_new: bool,
}

/// What became of an object that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is written, and has this entity tag, without quotes.
    Written {
        /// The tag.
        etag: String,
    },
    /// It was to be new, and one of its key was there, and stays.
    Exists,
}

/// A part of an upload that the service has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its number, from 1.
    pub number: u32,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// Its length in bytes.
    pub len: u64,
    /// SHA-256 of it in base64, where the service says it.
    pub sha256: Option<String>,
}

/// An object in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its length in bytes.
    pub len: u64,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// When it was written, as the service says it: RFC 3339.
    pub modified: String,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Objects in the order of their keys' bytes.
    pub objects: Vec<Listed>,
    /// What the next page is asked with; absent on the last one.
    pub next: Option<String>,
}

/// An object that is read.
pub struct Object {
    /// Length of the whole object in bytes.
    pub len: u64,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// What was asked for of its content. It may break off: whoever reads it asks again for the rest, bound to the tag.
    pub body: Box<dyn Read + Send>,
}

/// When a bucket was created, as the service writes it; `None` if it is not among those that these credentials own.
///
/// # Errors
/// As [`Client::call`].
pub fn creation_date(client: &Client, bucket: &str) -> Result<Option<String>> {
    let call = "ListBuckets";
    let leaves = client.call(call, 1, &Request::new(Method::Get, "/"), document)?.value;
    let mut name = None;
    for leaf in &leaves {
        match leaf.path.as_str() {
            "ListAllMyBucketsResult/Buckets/Bucket/Name" => name = Some(leaf.text.as_str()),
            "ListAllMyBucketsResult/Buckets/Bucket/CreationDate" if name == Some(bucket) => {
                return Ok(Some(leaf.text.clone()));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// Whether a bucket is there and may be reached.
///
/// # Errors
/// As [`Client::call`].
pub fn has_bucket(client: &Client, bucket: &str) -> Result<bool> {
    let request = Request::new(Method::Head, "/").in_bucket(bucket);
    Ok(unless_missing(client.call("HeadBucket", 1, &request, |_| Ok(())))?.is_some())
}

/// Creates a bucket in the client's region.
///
/// # Errors
/// As [`Client::call`].
pub fn create_bucket(client: &Client, bucket: &str) -> Result<()> {
    // The first region is the one that must not be named.
    let body = match client.region.as_str() {
        "us-east-1" => String::new(),
        region => format!(
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{}</LocationConstraint>\
             </CreateBucketConfiguration>",
            quick_xml::escape::escape(region)
        ),
    };
    let request = Request::new(Method::Put, "/").in_bucket(bucket).content(Content::Bytes(body.as_bytes()));
    client.call("CreateBucket", 1, &request, |_| Ok(())).map(|_| ())
}

/// Gives a bucket one of the access lists that have a name.
///
/// # Errors
/// As [`Client::call`].
pub fn set_bucket_acl(client: &Client, bucket: &str, acl: &str) -> Result<()> {
    let request = Request::new(Method::Put, "/").in_bucket(bucket).query("acl", "").header("x-amz-acl", acl);
    client.call("PutBucketAcl", 1, &request, |_| Ok(())).map(|_| ())
}

/// Writes an object in one request.
///
/// # Errors
/// As [`Client::call`].
pub fn put_object(
    client: &Client,
    bucket: &str,
    key: &str,
    attributes: &Attributes,
    content: Content<'_>,
) -> Result<Done<Put>> {
    let checksum = STANDARD.encode(content.sha256());
    let request = with_attributes(of_object(Method::Put, bucket, key), attributes)
        .header("x-amz-checksum-sha256", checksum)
        .content(content);
    let done = client.call("PutObject", 1, &request, |answer| Ok(Put::Written { etag: etag(&answer)? }));
    or_exists(done, attributes.must_be_new)
}

/// Begins an upload in parts, and gives its id.
///
/// # Errors
/// As [`Client::call`].
pub fn create_upload(client: &Client, bucket: &str, key: &str, attributes: &Attributes) -> Result<String> {
    // Whether it must be new is asked when it is completed.
    let attributes = Attributes { must_be_new: false, ..attributes.clone() };
    let request = with_attributes(of_object(Method::Post, bucket, key), &attributes)
        .query("uploads", "")
        .header("x-amz-checksum-algorithm", "SHA256");
    let done = client.call("CreateMultipartUpload", 1, &request, |answer| {
        leaf(&document(answer)?, "InitiateMultipartUploadResult/UploadId")
    });
    Ok(done?.value)
}

/// Uploads a part, and gives what completes the upload.
///
/// # Errors
/// As [`Client::call`].
pub fn upload_part(
    client: &Client,
    bucket: &str,
    key: &str,
    upload: &str,
    number: u32,
    content: Content<'_>,
) -> Result<Part> {
    let checksum = STANDARD.encode(content.sha256());
    let len = content.len();
    let request = of_object(Method::Put, bucket, key)
        .query("partNumber", number.to_string())
        .query("uploadId", upload)
        .header("x-amz-checksum-sha256", checksum.clone())
        .content(content);
    let done = client.call("UploadPart", 1, &request, |answer| etag(&answer))?;
    Ok(Part { number, etag: done.value, len, sha256: Some(checksum) })
}

/// Makes an object of parts in ascending order.
///
/// # Errors
/// As [`Client::call`]. An answer of status 200 may hold an error, and is one then.
pub fn complete_upload(
    client: &Client,
    bucket: &str,
    key: &str,
    upload: &str,
    parts: &[Part],
    must_be_new: bool,
) -> Result<Done<Put>> {
    let mut body = String::from("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for part in parts {
        let checksum =
            part.sha256.as_ref().map_or_else(String::new, |sum| format!("<ChecksumSHA256>{sum}</ChecksumSHA256>"));
        let etag = quick_xml::escape::escape(&part.etag);
        body.push_str(&format!(
            "<Part><PartNumber>{}</PartNumber><ETag>\"{etag}\"</ETag>{checksum}</Part>",
            part.number
        ));
    }
    body.push_str("</CompleteMultipartUpload>");
    let request =
        of_object(Method::Post, bucket, key).query("uploadId", upload).content(Content::Bytes(body.as_bytes()));
    let request = if must_be_new { request.header("if-none-match", "*") } else { request };
    let done = client.call("CompleteMultipartUpload", 1, &request, |mut answer| {
        let status = answer.status();
        let body = answer.read_whole()?;
        if let Some((code, message)) = xml::error(&body) {
            return Err(Failure::Refused(Fault::new(status, &code, &message)));
        }
        let leaves = whole(&body)?;
        let etag = leaf(&leaves, "CompleteMultipartUploadResult/ETag")?;
        Ok(Put::Written { etag: unquoted(&etag).to_owned() })
    });
    or_exists(done, must_be_new)
}

/// Forgets an upload and its parts; one that is not there is forgotten already.
///
/// # Errors
/// As [`Client::call`].
pub fn abort_upload(client: &Client, bucket: &str, key: &str, upload: &str) -> Result<()> {
    let request = of_object(Method::Delete, bucket, key).query("uploadId", upload);
    unless_missing(client.call("AbortMultipartUpload", 1, &request, |_| Ok(()))).map(|_| ())
}

/// Parts that the service has of an upload; `None` if there is no such upload.
///
/// # Errors
/// As [`Client::call`].
pub fn parts(client: &Client, bucket: &str, key: &str, upload: &str) -> Result<Option<Vec<Part>>> {
    let mut parts = Vec::new();
    let mut after = String::new();
    loop {
        let mut request = of_object(Method::Get, bucket, key).query("uploadId", upload);
        if !after.is_empty() {
            request = request.query("part-number-marker", after.clone());
        }
        let Some(leaves) = unless_missing(client.call("ListParts", 1, &request, document))? else {
            return Ok(None);
        };
        let mut is_truncated = false;
        for Leaf { path, text } in leaves {
            match path.strip_prefix("ListPartsResult/").unwrap_or_default() {
                "IsTruncated" => is_truncated = text == "true",
                "NextPartNumberMarker" => after = text,
                "Part/PartNumber" => {
                    parts.push(Part { number: number("ListParts", &text)?, etag: String::new(), len: 0, sha256: None });
                }
                field => {
                    if let Some(part) = parts.last_mut() {
                        match field {
                            "Part/ETag" => part.etag = unquoted(&text).to_owned(),
                            "Part/Size" => part.len = number("ListParts", &text)?,
                            "Part/ChecksumSHA256" => part.sha256 = Some(text),
                            _ => {}
                        }
                    }
                }
            }
        }
        if !is_truncated || after.is_empty() {
            return Ok(Some(parts));
        }
    }
}

/// Uploads of a prefix that are neither complete nor forgotten: key and id of each.
///
/// # Errors
/// As [`Client::call`].
pub fn uploads(client: &Client, bucket: &str, prefix: &str) -> Result<Vec<(String, String)>> {
    let request = Request::new(Method::Get, "/").in_bucket(bucket).query("uploads", "").query("prefix", prefix);
    let leaves = client.call("ListMultipartUploads", 1, &request, document)?.value;
    let mut uploads = Vec::new();
    let mut key = String::new();
    for Leaf { path, text } in leaves {
        match path.as_str() {
            "ListMultipartUploadsResult/Upload/Key" => key = text,
            "ListMultipartUploadsResult/Upload/UploadId" => uploads.push((key.clone(), text)),
            _ => {}
        }
    }
    Ok(uploads)
}

/// Lists objects whose keys begin with `prefix`, from where the page before ended.
///
/// # Errors
/// As [`Client::call`].
pub fn list(client: &Client, bucket: &str, prefix: &str, next: Option<&str>) -> Result<Page> {
    let call = "ListObjectsV2";
    let mut request = Request::new(Method::Get, "/")
        .in_bucket(bucket)
        .query("list-type", "2")
        .query("encoding-type", "url")
        .query("prefix", prefix);
    if let Some(next) = next {
        request = request.query("continuation-token", next);
    }
    let leaves = client.call(call, 1, &request, document)?.value;
    let mut page = Page { objects: Vec::new(), next: None };
    let is_encoded = leaves.iter().any(|leaf| leaf.path == "ListBucketResult/EncodingType" && leaf.text == "url");
    let mut is_truncated = false;
    for Leaf { path, text } in leaves {
        match path.strip_prefix("ListBucketResult/").unwrap_or_default() {
            "IsTruncated" => is_truncated = text == "true",
            "NextContinuationToken" => page.next = Some(text),
            "Contents/Key" => {
                let key = if is_encoded { decoded(&text) } else { Some(text) };
                let key = key.ok_or_else(|| Error::BadAnswer { call, reason: "a key that is no text".to_owned() })?;
                page.objects.push(Listed { key, len: 0, etag: String::new(), modified: String::new() });
            }
            field => {
                if let Some(object) = page.objects.last_mut() {
                    match field {
                        "Contents/Size" => object.len = number(call, &text)?,
                        "Contents/ETag" => object.etag = unquoted(&text).to_owned(),
                        "Contents/LastModified" => object.modified = text,
                        _ => {}
                    }
                }
            }
        }
    }
    if is_truncated == page.next.is_some() {
        Ok(page)
    } else if is_truncated {
        Err(Error::BadAnswer { call, reason: "the list goes on, and it does not say how".to_owned() })
    } else {
        Ok(Page { next: None, ..page })
    }
}

/// Which part of an object is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Range {
    /// All of it.
    #[default]
    Whole,
    /// From the first byte to the last, both counted from 0 and both included.
    Bytes(u64, u64),
    /// The last bytes.
    Last(u64),
}

/// Reads an object, or a part of it; `None` if it is not there. With `etag` only the object that has it.
///
/// # Errors
/// As [`Client::call`]; an object with another tag is refused with [`FaultKind::Exists`].
pub fn get_object(
    client: &Client,
    bucket: &str,
    key: &str,
    range: Range,
    etag: Option<&str>,
) -> Result<Option<Object>> {
    let mut request = of_object(Method::Get, bucket, key);
    match range {
        Range::Whole => {}
        Range::Bytes(first, last) => request = request.header("range", format!("bytes={first}-{last}")),
        Range::Last(len) => request = request.header("range", format!("bytes=-{len}")),
    }
    if let Some(etag) = etag {
        request = request.header("if-match", format!("\"{etag}\""));
    }
    let done = client.call("GetObject", 1, &request, |answer| opened(answer, range != Range::Whole));
    unless_missing(done)
}

/// Asks for length, tag and headers of an object; `None` if it is not there.
///
/// # Errors
/// As [`Client::call`].
pub fn head_object(client: &Client, bucket: &str, key: &str) -> Result<Option<Object>> {
    let request = of_object(Method::Head, bucket, key);
    unless_missing(client.call("HeadObject", 1, &request, |answer| opened(answer, false)))
}

/// Deletes an object; one that is not there is deleted already.
///
/// # Errors
/// As [`Client::call`].
pub fn delete_object(client: &Client, bucket: &str, key: &str) -> Result<()> {
    let request = of_object(Method::Delete, bucket, key);
    unless_missing(client.call("DeleteObject", 1, &request, |_| Ok(()))).map(|_| ())
}

fn opened(answer: Answer, is_part: bool) -> Result<Object, Failure> {
    // A store that gives the whole where a part was asked for must not pass as the part.
    if is_part && answer.status() != 206 {
        return Err(Failure::Odd(format!("status {} to a request for a part", answer.status())));
    }
    let total = match answer.header("content-range") {
        Some(range) => range.rsplit_once('/').map(|(_, total)| total),
        None => answer.header("content-length"),
    };
    let len = total
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Failure::Odd("it does not say how long the object is".to_owned()))?;
    let etag = etag(&answer)?;
    let headers = answer.headers().to_vec();
    Ok(Object { len, etag, headers, body: answer.into_body() })
}

fn of_object<'a>(method: Method, bucket: &'a str, key: &str) -> Request<'a> {
    Request::new(method, format!("/{}", encode_path(key.as_bytes()))).in_bucket(bucket)
}

fn with_attributes<'a>(mut request: Request<'a>, attributes: &Attributes) -> Request<'a> {
    request.headers.extend(attributes.headers.iter().cloned());
    if attributes.must_be_new { request.header("if-none-match", "*") } else { request }
}

fn or_exists(done: Result<Done<Put>>, must_be_new: bool) -> Result<Done<Put>> {
    match done {
        Err(Error::Refused { fault, is_unsure, .. }) if must_be_new && fault.kind() == FaultKind::Exists => {
            Ok(Done { value: Put::Exists, is_unsure })
        }
        done => done,
    }
}

fn unless_missing<T>(done: Result<Done<T>>) -> Result<Option<T>> {
    match done {
        Ok(done) => Ok(Some(done.value)),
        Err(Error::Refused { fault, .. }) if fault.kind() == FaultKind::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

fn document(mut answer: Answer) -> Result<Vec<Leaf>, Failure> {
    whole(&answer.read_whole()?)
}

/// A document that says nothing, or does not end, was cut on its way.
fn whole(body: &[u8]) -> Result<Vec<Leaf>, Failure> {
    let cut = || Failure::Lost(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the answer is not whole"));
    xml::leaves(body).filter(|leaves| !leaves.is_empty()).ok_or_else(cut)
}

fn leaf(leaves: &[Leaf], path: &str) -> Result<String, Failure> {
    let leaf = leaves.iter().find(|leaf| leaf.path == path);
    leaf.map(|leaf| leaf.text.clone()).ok_or_else(|| Failure::Odd(format!("{path} is missing")))
}

fn etag(answer: &Answer) -> Result<String, Failure> {
    let etag = answer.header("etag").map(|etag| unquoted(etag).to_owned());
    etag.ok_or_else(|| Failure::Odd("it has no entity tag".to_owned()))
}

fn unquoted(etag: &str) -> &str {
    etag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(etag)
}

fn number<T: std::str::FromStr>(call: &'static str, text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::BadAnswer { call, reason: format!("{text:?} is no number") })
}

/// A key as `encoding-type=url` writes it, where `+` is a blank.
fn decoded(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(&text).collect();
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
