use ekv_model::Result;
use ekv_spill::SystemScratch;

use super::*;

struct Text(&'static str);

impl ByteSource for Text {
    fn len(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap()
    }
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let start = usize::try_from(offset).unwrap();
        buf.copy_from_slice(&self.0.as_bytes()[start..start + buf.len()]);
        Ok(())
    }
}

fn parse(text: &'static str) -> Head {
    let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
    Head::parse(&Text(text), &scratch).unwrap_or_else(|error| panic!("{error:?}"))
}

#[test]
fn parts_keep_their_sizes_whatever_the_order_of_the_members() {
    let head = parse(
        r#"{"parts":[{"chunk_sizes":[1,2],"part_no":1},{"part_no":2,"chunk_count":9,"offloaded":true,"chunk_ref_version":5},{"CHUNK_SIZES":[3],"part_no":3,"part_version":4}]}"#,
    );
    assert_eq!(head.parts.len(), 3);
    let parts: Vec<Part> = (0..3).map(|index| head.parts.get(index).unwrap()).collect();
    assert_eq!(parts.iter().map(Part::chunks).collect::<Vec<_>>(), [2, 9, 1]);
    let size = |part: usize, chunk_no| head.parts.chunk_size(&parts[part], chunk_no).unwrap();
    assert_eq!([size(0, 0), size(0, 1), size(1, 0), size(2, 0)], [Some(1), Some(2), None, Some(3)]);
    assert!(parts[1].is_offloaded && parts[1].chunk_ref_version == 5 && parts[2].part_version == 4);
}

#[test]
fn the_last_of_repeated_members_counts() {
    let head =
        parse(r#"{"etag":"a","ETAG":"b","parts":[{"part_no":1}],"parts":[{"chunk_sizes":[1],"chunk_sizes":[7,8]}]}"#);
    assert_eq!(head.etag, "b");
    let part = head.parts.get(0).unwrap();
    assert_eq!((head.parts.len(), part.chunks(), head.parts.chunk_size(&part, 1).unwrap()), (1, 2, Some(8)));
}
