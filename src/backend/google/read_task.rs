//! Reading tasks from the service, or from an emulator.

use google_cloud_gax::error::Error as GoogleError;
use google_cloud_tasks_v2::model::{ListTasksResponse, Task, task};

use crate::backend::google::create_task::GoogleBackend;
use crate::backend::queue_admin::View;

impl GoogleBackend {
    /// The full path of a task.
    pub fn task_path(&self, queue: &str, id: &str) -> String {
        format!("{}/tasks/{id}", self.target.queue(queue))
    }

    /// One attempt to get a task.
    pub async fn get_task(&self, queue: &str, id: &str, view: View) -> Result<Task, GoogleError> {
        let path = self.task_path(queue, id);
        let view = of(view);
        if let Some(emulator_client) = &self.emulator_client {
            let view = view.name().unwrap_or_default();
            return emulator_client.get(&path, &[("responseView", view)]).await;
        }
        let request = self.client.get().await?.get_task().set_name(path);
        request.set_response_view(view).send().await
    }

    /// One attempt to list a page of tasks.
    pub async fn list_tasks(
        &self,
        queue: &str,
        view: View,
        size: u16,
        from: &str,
    ) -> Result<ListTasksResponse, GoogleError> {
        let (path, view) = (self.target.queue(queue), of(view));
        if let Some(emulator_client) = &self.emulator_client {
            let size = size.to_string();
            let query = [
                ("responseView", view.name().unwrap_or_default()),
                ("pageSize", &size),
                ("pageToken", from),
            ];
            return emulator_client.get(&format!("{path}/tasks"), &query).await;
        }
        let request = self
            .client
            .get()
            .await?
            .list_tasks()
            .set_parent(path)
            .set_page_token(from);
        request.set_page_size(size).set_response_view(view).send().await
    }
}

fn of(view: View) -> task::View {
    match view {
        View::Basic => task::View::Basic,
        View::Full => task::View::Full,
    }
}
