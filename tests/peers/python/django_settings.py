"""The settings of the Django project; what starts with `DJANGO_CLOUD_TASKS_` comes from the environment."""

ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django_cloud_tasks"]
MIDDLEWARE = [
    "django_middleware.remember_the_request",
    "django_middleware.verify_the_caller",
    "django_cloud_tasks.middleware.PubSubHeadersMiddleware",
    "django_cloud_tasks.middleware.HeadersContextMiddleware",
]
REST_FRAMEWORK = {}
ROOT_URLCONF = "django_cloud_tasks.urls"
SECRET_KEY = "only for tests"
USE_TZ = True
