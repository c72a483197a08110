//! Which hosts mount which datastores: read beside the watch, since an answer with all of them is twenty times
//! as large as one without.

mod reader;
mod table;

pub(super) use self::{
    reader::MountReader,
    table::{HostNumbers, MountTable},
};
