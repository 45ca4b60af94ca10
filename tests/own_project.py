"""The project file of a user with a model of their own."""

NAMES = (
    '[names]\nmodel = "churn"\nendpoint = "churn-live"\nkubernetes_endpoint = "churn-aks"\n'
    'batch_endpoint = "churn-batch"\n'
)
MODEL = (
    '[model]\nfile = "mine.joblib"\nsample = "train.csv"\n'
    'drop = ["late", "target"]\ntext = ["city"]\n'
)
REPEATED = ("endpoints", "infrastructure", "kubernetes")
