//! Commands about clusters.

mod cluster_list;
mod cluster_rt;

pub use cluster_list::ClusterList;
pub use cluster_rt::ClusterRt;
