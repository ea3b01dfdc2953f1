python -m metalm train --split languages --algorithm joint --name 'joint base' --tokens 6000000 --set model.embedding=96 --set model.hidden=512 --set model.dropout=0.1 --set drawing.meta_batch=8 --set validation.every=250 --set validation.steps=15
python -m metalm train --split languages --algorithm maml++ --init 'joint base' --name 'base meta-trained' --tokens 2000000 --set inner.lr=0.5 --set inner.batch=4 --set maml++.first_order_share=1.0 --set optimizer.lr=0.001 --set model.embedding=96 --set model.hidden=512 --set model.dropout=0.1 --set drawing.made_up=0.2 --set validation.steps=15
python -m metalm runs twin "base meta-trained" --name "base joint twin"
python -m metalm evaluate "base meta-trained" "base joint twin" --support 0,512,2048,10240
python -m metalm evaluate "base meta-trained" "base joint twin" --support 0,512,2048,10240 --role meta-test
python -m metalm runs export "base meta-trained" metalm/samples/models/base-meta-trained --half --points 500
python -m metalm runs export "base joint twin" metalm/samples/models/base-joint-twin --half --points 500
