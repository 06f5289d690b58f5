//! What a part counts of itself.

use anyhow::Context as _;

use super::Part;

impl Part {
    /// Its metrics page.
    ///
    /// # Errors
    /// When it has no address or does not answer.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        let endpoint = self.endpoint.as_ref().with_context(|| format!("{} has no address", self.name()))?;
        endpoint.get("/metrics").await
    }

    /// A metric, summed over its labels; 0 when it is absent.
    ///
    /// # Errors
    /// As [`Part::metrics`].
    pub async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        self.metric_where(name, &[]).await
    }

    /// A metric, summed over the samples that have each of these labels, written `name="value"`.
    ///
    /// # Errors
    /// As [`Part::metrics`].
    pub async fn metric_where(&self, name: &str, labels: &[&str]) -> anyhow::Result<f64> {
        Ok(sum(&self.metrics().await?, name, labels))
    }
}

/// Sum of a metric's samples in the text format.
fn sum(page: &str, name: &str, labels: &[&str]) -> f64 {
    let selected = page.lines().filter(|line| labels.iter().all(|label| line.contains(label)));
    let samples = selected.filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = match rest.strip_prefix('{') {
            Some(labelled) => labelled.rsplit_once("} ")?.1,
            None => rest.strip_prefix(' ')?,
        };
        value.split(' ').next()?.parse::<f64>().ok()
    });
    samples.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_summed_over_its_labels_and_not_mixed_up_with_longer_names() {
        let page =
            "# TYPE held counter\nheld_total{lane=\"a\"} 2\nheld_total{lane=\"b} \"} 3\nheld_total_more 9\n";
        assert!((sum(page, "held_total", &[]) - 5.0).abs() < f64::EPSILON);
        assert!((sum(page, "held_total", &[r#"lane="a""#]) - 2.0).abs() < f64::EPSILON);
        assert!((sum(page, "held_total_more", &[]) - 9.0).abs() < f64::EPSILON);
        assert!(sum(page, "absent", &[]).abs() < f64::EPSILON);
    }
}
