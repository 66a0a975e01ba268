//! Whether a file is a chart.

use std::collections::HashSet;
use std::io::Cursor;

/// The PNG decodes, has the size of a chart, and something is drawn on it.
pub(crate) fn check_picture(png: &[u8]) {
    let mut reader = png::Decoder::new(Cursor::new(png)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((frame.width, frame.height), (1200, 675));
    let pixel_size = frame.buffer_size() / (1200 * 675);
    let pixels: Vec<&[u8]> = pixels[..frame.buffer_size()].chunks(pixel_size).collect();
    let paper = pixels[0];
    let n_inked = pixels.iter().filter(|pixel| **pixel != paper).count();
    let n_colours = pixels.iter().collect::<HashSet<_>>().len();
    assert!(n_inked > 5_000 && n_colours > 10, "{n_inked} pixels drawn in {n_colours} colours");
}
