//! On which partition of a topic a key lies: where every other client puts it too, which is by the
//! hash of Kafka's own producer.

/// The partition of a key, of so many.
pub(super) fn partition(key: &[u8], partitions: i32) -> Option<i32> {
    let positive = i32::try_from(murmur2(key) & 0x7fff_ffff).ok()?;
    positive.checked_rem(partitions)
}

const SEED: u32 = 0x9747_b28c;
const MIX: u32 = 0x5bd1_e995;
const ROTATION: u32 = 24;

/// MurmurHash2 of 32 bits, as Kafka's producer has it.
fn murmur2(bytes: &[u8]) -> u32 {
    // The length counts modulo 2^32, as it does there.
    #[expect(clippy::cast_possible_truncation, reason = "by definition")]
    let mut hash = SEED ^ bytes.len() as u32;
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(MIX);
        word = (word ^ (word >> ROTATION)).wrapping_mul(MIX);
        hash = hash.wrapping_mul(MIX) ^ word;
    }
    if !rest.is_empty() {
        for (byte, shift) in rest.iter().zip([0, 8, 16]) {
            hash ^= u32::from(*byte) << shift;
        }
        hash = hash.wrapping_mul(MIX);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(MIX);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_kafkas_own_producer() {
        // From the tests of Kafka's clients.
        for (key, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    #[test]
    fn a_key_lies_on_one_of_the_partitions() {
        assert_eq!(partition(b"abc", 6), Some(479_470_107 % 6));
        assert_eq!(partition(b"foobar", 1), Some(0));
        assert_eq!(partition(b"abc", 0), None);
    }
}
