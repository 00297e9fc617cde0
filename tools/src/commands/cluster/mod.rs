//! Commands about clusters.

mod cluster_list;

pub use cluster_list::ClusterList;
